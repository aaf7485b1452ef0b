/**
 * What Attend answered: tokens and weights.
 *
 * S source tokens and T target tokens, ends of sentence included. Row i of a decoder's map is the step that writes target
 * token i, so that the rows of a translation's beginning are the first rows of the whole: the decoder sees no future.
 */

export const CROSS = "ATTENTION_KIND_CROSS";
export const ENCODER = "ATTENTION_KIND_ENCODER_SELF";
export const DECODER = "ATTENTION_KIND_DECODER_SELF";
export const KINDS = [CROSS, ENCODER, DECODER];
/** What the page's dictionaries call them. */
export const KIND_WORDS = { [CROSS]: "kind.cross", [ENCODER]: "kind.encoder", [DECODER]: "kind.decoder" };
/** In the place of a layer or head: the mean of all. */
export const MEAN = -1;
const WORD_BEGIN = "\u2581";
/** A piece that is one byte of a character that the vocabulary lacks; the last one of a character stands for it. */
const BYTE = /^<0x([0-9A-F]{2})>$/;

/** A matrix of weights, (rows, columns), row by row. */
export class Weights {
  constructor(map) {
    this.layer = map.layer ?? 0;
    this.head = map.head ?? 0;
    this.rows = map.rows ?? 0;
    this.columns = map.columns ?? 0;
    this.values = Float32Array.from(map.weights ?? []);
  }

  at(row, column) {
    return this.values[row * this.columns + column] ?? 0;
  }

  row(row) {
    return Array.from({ length: this.columns }, (_, column) => this.at(row, column));
  }

  column(column) {
    return Array.from({ length: this.rows }, (_, row) => this.at(row, column));
  }
}

/** Which maps a model has. */
export class Shape {
  /** @param {Object} response  an AttendResponse with a map for each kind, layer and head */
  constructor(response) {
    this.version = versionOf(response);
    const maps = response.maps ?? [];
    this.sizes = new Map(KINDS.map((kind) => {
      const own = maps.filter((map) => map.kind === kind);
      const number = (field) => 1 + Math.max(-1, ...own.map((map) => map[field] ?? 0));
      return [kind, { layers: number("layer"), heads: number("head") }];
    }));
  }

  /** Numbers of layers and heads of a kind. */
  size(kind) {
    return this.sizes.get(kind);
  }

  /** The kinds that there are. */
  get kinds() {
    return KINDS.filter((kind) => this.size(kind).layers > 0);
  }
}

export class Attention {
  /**
   * @param {Object} response  an AttendResponse
   * @param {Shape} shape  of all maps of the model, be they in the response or not
   */
  constructor(response, shape) {
    this.response = response;
    this.shape = shape;
    this.model = response.model;
    this.version = versionOf(response);
    this.source = response.source ?? "";
    this.target = response.target ?? "";
    this.sourceTokens = named(response.sourceTokens ?? [], this.source);
    this.targetTokens = named(response.targetTokens ?? [], this.target);
    /** (S, width) or none: what the encoder made of each source token. */
    this.encodings = (response.encodings ?? []).map((encoding) => Float32Array.from(encoding.values ?? []));
    this.maps = new Map();
    for (const map of [...(response.maps ?? []), ...(response.averages ?? [])]) {
      const weights = new Weights(map);
      this.maps.set(`${map.kind} ${weights.layer} ${weights.head}`, weights);
    }
  }

  /** Whether this is of the same text as another, or of more of it, so that rows and columns of the other mean the same here. */
  continues(other) {
    return this.source === other.source && this.target.startsWith(other.target);
  }

  /** Take over the maps of another attention to the same texts. */
  add(other) {
    for (const [name, weights] of other.maps) this.maps.set(name, weights);
  }

  /** The weights of one head, or a mean; null where they were not asked for. */
  weights(kind, layer, head) {
    return this.maps.get(`${kind} ${layer} ${head}`) ?? null;
  }

  /** The tokens that look. */
  rowTokens(kind) {
    return kind === ENCODER ? this.sourceTokens : this.targetTokens;
  }

  /** The tokens that are looked at: of the decoder those written before, after the beginning of sentence. */
  columnTokens(kind) {
    if (kind !== DECODER) return this.sourceTokens;
    return [{ text: "‹s›", isSpecial: true, beginsWord: true, begin: 0, end: 0 }, ...this.targetTokens.slice(0, -1)];
  }

  /** Pairs of tokens that the model's chosen head links: {row, column, weight}. */
  get links() {
    return (this.response.alignment ?? []).flatMap((link) => {
      const columns = within(this.sourceTokens, link.sourceBegin ?? 0, link.sourceEnd ?? 0);
      const rows = within(this.targetTokens, link.targetBegin ?? 0, link.targetEnd ?? 0);
      return rows.flatMap((row) => columns.map((column) => ({ row, column, weight: link.weight ?? 0 })));
    });
  }
}

/** Tells one model's answers from another's, which may have its name. */
function versionOf({ model, modelVersion }) {
  return `${model} ${modelVersion}`;
}

/** Which tokens stand for characters from `begin` up to `end`. */
export function within(tokens, begin, end) {
  return tokens.flatMap((token, index) => (token.begin < end && token.end > begin ? [index] : []));
}

/** Tokens with what a reader should see: their own characters, or for those that stand for none, their piece. */
function named(tokens, text) {
  const characters = Array.from(text); // offsets count code points, not UTF-16 units
  return tokens.map(({ piece = "", begin = 0, end = 0 }) => {
    const own = characters.slice(begin, end).join("").trim();
    const written = piece.replaceAll(WORD_BEGIN, " ").trim().replace(BYTE, "$1");
    return {
      piece,
      begin,
      end,
      text: own || written || "␣",
      isSpecial: end <= begin,
      beginsWord: piece.startsWith(WORD_BEGIN) || begin === 0 || /\s/.test(characters[begin - 1] ?? ""),
    };
  });
}
