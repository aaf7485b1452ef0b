/** Which map is shown: the kind, and of its layers and heads one, or a mean. All of them are there to see, small. */

import { element } from "./element.js";
import { CROSS, KINDS, KIND_WORDS, MEAN } from "./attention.js";

export class MapChooser extends EventTarget {
  kind = CROSS;
  layer = MEAN;
  head = MEAN;

  /** @param {string} name  of its own among the page's choosers: radio buttons of one name belong together */
  constructor(words, theme, name) {
    super();
    this.name = name;
    this.words = words;
    this.theme = theme;
    this.kindsRoot = words.label(element("div", { class: "kinds", role: "radiogroup" }), "kind.label");
    this.mapsRoot = words.label(element("div", { class: "heads", role: "radiogroup" }), "heads.label");
    theme.addEventListener("change", () => this.#paint());
  }

  /** Offer what an attention has. What was chosen stays so if it is there. */
  show(attention) {
    const { kinds } = attention.shape;
    if (!kinds.includes(this.kind)) this.kind = kinds[0] ?? CROSS;
    this.attention = attention;
    this.#showKinds(kinds);
    this.#showMaps();
  }

  /** What is chosen. */
  get choice() {
    const { kind, layer, head } = this;
    return { kind, layer, head };
  }

  /** The weights that are chosen; null where the attention lacks them. */
  get weights() {
    return this.attention.weights(this.kind, this.layer, this.head);
  }

  #showKinds(kinds) {
    const shape = kinds.join();
    if (shape === this.shownKinds) return;
    this.shownKinds = shape;
    this.kindsRoot.replaceChildren(...KINDS.map((kind) => {
      const attributes = { type: "radio", name: `${this.name}-kind`, value: kind, disabled: !kinds.includes(kind) };
      const input = element("input", { ...attributes, change: () => this.#choose({ kind, layer: MEAN, head: MEAN }) });
      input.checked = kind === this.kind;
      return element("label", { class: "kind" }, input, this.words.write(element("span"), KIND_WORDS[kind]));
    }));
  }

  #showMaps() {
    const { layers, heads } = this.attention.shape.size(this.kind);
    const shape = `${this.kind} ${layers} ${heads}`;
    if (this.layer >= layers || this.head >= heads) this.layer = this.head = MEAN;
    if (shape !== this.shownMaps) {
      this.shownMaps = shape;
      this.mapsRoot.style.setProperty("--heads", heads + 1);
      const isAlone = layers * heads <= 1; // its mean is itself
      const rows = Array.from({ length: isAlone ? 0 : layers }, (_, layer) => this.#row(layer, heads));
      const all = element("span", { class: "layer-name" });
      this.words.write(all, "heads.all");
      this.mapsRoot.replaceChildren(all, this.#choice(MEAN, MEAN), ...rows.flat());
    }
    this.#paint();
  }

  #row(layer, heads) {
    const name = this.words.write(element("span", { class: "layer-name" }), "heads.layer", { layer: layer + 1 });
    return [name, ...[MEAN, ...Array(heads).keys()].map((head) => this.#choice(layer, head))];
  }

  #choice(layer, head) {
    const change = () => this.#choose({ kind: this.kind, layer, head });
    const input = element("input", { type: "radio", name: `${this.name}-head`, value: `${layer} ${head}`, change });
    input.checked = layer === this.layer && head === this.head;
    const key = layer === MEAN ? "heads.meanOfAll" : head === MEAN ? "heads.meanOfLayer" : "heads.head";
    this.words.label(input, key, { layer: layer + 1, head: head + 1 });
    const classes = head === MEAN ? "head is-mean" : "head";
    return element("label", { class: classes }, input, element("canvas", { "aria-hidden": "true" }));
  }

  #paint() {
    if (!this.attention) return;
    for (const input of this.mapsRoot.querySelectorAll("input")) {
      const [layer, head] = input.value.split(" ").map(Number);
      const weights = this.attention.weights(this.kind, layer, head);
      if (weights) paint(input.nextSibling, weights, this.theme.scale);
    }
  }

  #choose(choice) {
    const isKind = choice.kind !== this.kind;
    Object.assign(this, choice);
    if (isKind) this.#showMaps();
    this.dispatchEvent(new Event("change"));
  }
}

/** One pixel for each weight. */
function paint(canvas, weights, scale) {
  canvas.width = weights.columns;
  canvas.height = weights.rows;
  const context = canvas.getContext("2d");
  const image = context.createImageData(weights.columns, weights.rows);
  weights.values.forEach((weight, index) => {
    image.data.set(scale.rgb(weight), index * 4);
    image.data[index * 4 + 3] = 255;
  });
  context.putImageData(image, 0, 0);
}
