/** The models that are served, as /v1/models lists them. */

export class ModelList extends EventTarget {
  /** @param {import("./api.js").Api} api */
  constructor(api) {
    super();
    this.api = api;
    this.all = [];
  }

  /** Ask the service. */
  async load() {
    this.all = (await this.api.models()).filter((model) => (model.state ?? READY) === READY);
    this.dispatchEvent(new Event("change"));
  }

  /** Models that read text. */
  get translators() {
    return this.all.filter((model) => pairsOf(model).some((pair) => pair.source));
  }

  /** Models that read pictures: their pairs have no language of the source. */
  get captioners() {
    return this.all.filter((model) => pairsOf(model).some((pair) => !pair.source));
  }
}

const READY = "MODEL_STATE_READY";

/** What a model translates: {source, target}, BCP-47 codes. */
export function pairsOf(model) {
  return (model.languagePairs ?? []).map((pair) => ({
    source: pair.sourceLanguageCode ?? "",
    target: pair.targetLanguageCode ?? "",
  }));
}
