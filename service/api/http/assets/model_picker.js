/** Two choices that belong together: the languages, and of the models that translate between them one. */

import { element } from "./element.js";
import { pairsOf } from "./model_list.js";

export class ModelPicker extends EventTarget {
  /**
   * @param {import("./words.js").Words} words
   * @param {function(): Object[]} models  what there is to choose from
   * @param {HTMLElement} root  gets the choices
   */
  constructor(words, models, root) {
    super();
    this.words = words;
    this.models = models;
    this.direction = element("select", { class: "direction", change: () => this.#changeDirection() });
    this.model = element("select", { class: "model", change: () => this.dispatchEvent(new Event("change")) });
    root.replaceChildren(this.#labelled("picker.direction", this.direction), this.#labelled("picker.model", this.model));
    words.addEventListener("change", () => this.show());
  }

  #labelled(key, select) {
    return element("label", {}, this.words.write(element("span"), key), " ", select);
  }

  /** Offer what is served now; what was chosen stays so if it is still there. */
  show() {
    const pairs = new Map();
    for (const model of this.models()) {
      for (const pair of pairsOf(model)) pairs.set(`${pair.source} ${pair.target}`, pair);
    }
    const before = this.direction.value;
    this.direction.replaceChildren(...Array.from(pairs, ([value, pair]) => element("option", { value }, this.#name(pair))));
    if (pairs.has(before)) this.direction.value = before;
    this.#showModels();
  }

  /** Choose languages; false where no model has them. */
  chooseLanguages(source, target) {
    const value = Array.from(this.direction.options, (option) => option.value).find((one) => {
      const [ownSource, ownTarget] = one.split(" ");
      return ownSource === source && (!target || ownTarget === target);
    });
    if (value === undefined) return false;
    if (value !== this.direction.value) {
      this.direction.value = value;
      this.#changeDirection();
    }
    return true;
  }

  /** The languages that are chosen, BCP-47 codes; of a model that reads pictures the source is empty. */
  get languages() {
    const [source = "", target = ""] = this.direction.value.split(" ");
    return { source, target };
  }

  /** What is chosen, as a ModelSelection. */
  get selection() {
    const { source, target } = this.languages;
    const selection = { model: this.model.value, targetLanguageCode: target };
    return source ? { ...selection, sourceLanguageCode: source } : selection;
  }

  /** Models for the chosen languages. */
  get fitting() {
    const { source, target } = this.languages;
    return this.models().filter((model) => pairsOf(model).some((pair) => pair.source === source && pair.target === target));
  }

  #name({ source, target }) {
    const name = (code) => this.words.languageName(code);
    return source ? `${name(source)} → ${name(target)}` : name(target);
  }

  #showModels() {
    const before = this.model.value;
    const { fitting } = this;
    this.model.replaceChildren(...fitting.map((model) => {
      return element("option", { value: model.name }, `${model.name} · ${model.architecture}`);
    }));
    if (fitting.some((model) => model.name === before)) this.model.value = before;
  }

  #changeDirection() {
    this.#showModels();
    this.dispatchEvent(new Event("change"));
  }
}
