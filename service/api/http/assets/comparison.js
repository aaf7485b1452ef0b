/** The view that shows one word in two sentences, or one sentence in two models. */

import { AttentionLoader } from "./attention_loader.js";
import { CROSS, ENCODER, MEAN } from "./attention.js";
import { ComparisonResult } from "./comparison_result.js";
import { element } from "./element.js";
import { PAIRS } from "./examples.js";
import { ModelPicker } from "./model_picker.js";
import { placeOf, sharedWords } from "./shared_words.js";

export class Comparison {
  /** @param {{api: Object, words: Object, theme: Object, models: Object, notice: Object}} parts */
  constructor({ api, words, theme, models, notice }) {
    Object.assign(this, { api, words, notice, loader: new AttentionLoader(api) });
    const find = (id) => document.getElementById(id);
    Object.assign(this, { form: find("compare-form"), first: find("first-text"), second: find("second-text") });
    Object.assign(this, { word: find("word"), other: find("second-model"), status: find("compare-status") });
    this.picker = new ModelPicker(words, () => models.translators, find("compare-picker"));
    this.result = new ComparisonResult(words, theme, find("comparison"));
    models.addEventListener("change", () => this.#offer());
    this.picker.addEventListener("change", () => this.#offerOther());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.run();
    });
    for (const text of [this.first, this.second]) text.addEventListener("input", () => this.#offerWords());
    this.word.addEventListener("change", () => this.#show());
  }

  #offer() {
    this.picker.show();
    const buttons = PAIRS.map((pair) => {
      return element("button", { type: "button", class: "example", lang: pair.language, click: () => this.#take(pair) }, pair.word);
    });
    document.getElementById("compare-examples").replaceChildren(...buttons);
    if (!this.first.value) this.#fill(PAIRS.find((pair) => this.picker.chooseLanguages(pair.language)) ?? PAIRS[0]);
    this.#offerOther();
  }

  #offerOther() {
    const same = this.words.write(element("option", { value: "" }), "compare.same");
    const others = this.picker.fitting.filter((model) => model.name !== this.picker.selection.model);
    this.other.replaceChildren(same, ...others.map((model) => {
      return element("option", { value: model.name }, `${model.name} · ${model.architecture}`);
    }));
  }

  #take(pair) {
    this.#fill(pair);
    if (this.picker.chooseLanguages(pair.language)) this.run();
    else this.words.write(this.status, "compare.noModel", { language: this.words.languageName(pair.language) });
  }

  #fill({ word, sentences: [first, second] }) {
    this.first.value = first;
    this.second.value = second;
    this.#offerWords();
    this.word.value = word;
  }

  #offerWords() {
    const before = this.word.value;
    const found = sharedWords(this.first.value, this.second.value);
    this.word.replaceChildren(...found.map((word) => element("option", {}, word)));
    if (found.includes(before)) this.word.value = before;
  }

  /** Translate both sentences and show the word in each. */
  async run() {
    this.controller?.abort();
    const controller = new AbortController();
    this.controller = controller;
    this.notice.clear();
    this.words.write(this.status, "compare.busy");
    try {
      const own = this.picker.selection;
      const second = this.other.value ? { ...own, model: this.other.value } : own;
      this.sides = await Promise.all([
        this.#ask(own, this.first.value.trim(), controller.signal),
        this.#ask(second, this.second.value.trim(), controller.signal),
      ]);
      this.#show();
    } catch (error) {
      if (this.controller !== controller) return;
      this.status.textContent = "";
      this.notice.show(error);
    }
  }

  /** The model's own translation of a text, and its attention with encodings. */
  async #ask(modelSelection, source, signal) {
    const mean = { layer: MEAN, head: MEAN };
    const request = { modelSelection, source, returnEncodings: true };
    const attention = await this.loader.load(request, { kind: ENCODER, ...mean }, signal);
    if (attention.shape.kinds.includes(CROSS) && !attention.weights(CROSS, MEAN, MEAN)) {
      await this.loader.add(attention, { modelSelection, source, target: attention.target }, { kind: CROSS, ...mean }, signal);
    }
    return attention;
  }

  #show() {
    if (!this.sides) return;
    const word = this.word.value;
    const places = this.sides.map((attention) => placeOf(word, attention.source));
    if (places.includes(null)) {
      this.result.clear();
      this.words.write(this.status, "compare.noWord");
      return;
    }
    this.words.write(this.status, "compare.done");
    this.result.show(word, this.sides, places);
  }
}
