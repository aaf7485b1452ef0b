/** The view where a sentence is translated and its attention grows with the translation. */

import { element } from "./element.js";
import { examplesFor } from "./examples.js";
import { Explanation } from "./explanation.js";
import { Hypotheses } from "./hypotheses.js";
import { ModelPicker } from "./model_picker.js";

export class Translator {
  /** @param {{api: Object, words: Object, theme: Object, models: Object, notice: Object}} parts */
  constructor({ api, words, theme, models, notice }) {
    Object.assign(this, { api, words, notice });
    const find = (id) => document.getElementById(id);
    Object.assign(this, { form: find("translate-form"), source: find("source"), target: find("target") });
    Object.assign(this, { beam: find("beam"), nbest: find("nbest"), stop: find("stop"), status: find("translate-status") });
    this.picker = new ModelPicker(words, () => models.translators, find("translate-picker"));
    this.hypotheses = new Hypotheses(words, find("hypotheses"), (hypothesis) => this.#choose(hypothesis));
    this.explanation = new Explanation({ api, words, theme, notice }, find("attention"));
    models.addEventListener("change", () => this.#offer());
    words.addEventListener("change", () => this.#nameLanguages());
    this.#listen();
  }

  #listen() {
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.run();
    });
    this.source.addEventListener("keydown", (event) => {
      // Enter that ends the composition of a Hangul syllable belongs to the input method.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.form.requestSubmit();
    });
    this.stop.addEventListener("click", () => {
      this.controller?.abort();
      this.explanation.stop();
    });
    this.picker.addEventListener("change", () => {
      this.#nameLanguages();
      this.#offerExamples();
      if (this.source.value.trim() && this.shownLanguage === this.picker.languages.source) this.run();
      else this.#clear();
    });
    for (const select of [this.beam, this.nbest]) select.addEventListener("change", () => this.#fitBeam(select));
  }

  /** As many translations as hypotheses are kept, at most. */
  #fitBeam(changed) {
    const [beam, nbest] = [Number(this.beam.value), Number(this.nbest.value)];
    if (nbest > beam) (changed === this.nbest ? this.beam : this.nbest).value = changed.value;
    if (this.source.value.trim()) this.run();
  }

  #offer() {
    this.picker.show();
    this.#nameLanguages();
    this.#offerExamples();
    if (!this.source.value && this.examples.length) this.source.value = this.examples[0];
  }

  #nameLanguages() {
    const { source, target } = this.picker.languages;
    if (!target) return;
    document.getElementById("source-language").textContent = this.words.languageName(source);
    document.getElementById("target-language").textContent = this.words.languageName(target);
    this.source.lang = source;
    this.target.lang = target;
  }

  #offerExamples() {
    this.examples = examplesFor(this.picker.languages.source);
    const buttons = this.examples.map((text) => {
      return element("button", { type: "button", class: "example", click: () => this.#take(text) }, text);
    });
    document.getElementById("examples").replaceChildren(...buttons);
  }

  #take(text) {
    this.source.value = text;
    this.run();
  }

  /** Translate what is written, in the place of what is still under way. */
  async run() {
    this.controller?.abort();
    const controller = new AbortController();
    this.controller = controller;
    this.#clear();
    this.#setBusy(true);
    try {
      await this.#translate(controller.signal);
    } catch (error) {
      if (this.controller === controller) this.notice.show(error);
    }
    if (this.controller === controller) this.#setBusy(false);
  }

  async #translate(signal) {
    const text = this.source.value.trim();
    const selection = this.picker.selection;
    this.shownLanguage = this.picker.languages.source;
    const begin = performance.now();
    this.explanation.begin(selection, text);
    let result = null;
    for await (const event of this.api.stream(this.#request(selection, text), signal)) {
      if (event.delta) this.target.textContent += event.delta.text ?? "";
      if (event.sentence) this.explanation.grow(this.target.textContent, event.sentence);
      result = event.result ?? result;
    }
    const time = Math.round(performance.now() - begin);
    this.words.write(this.status, "translate.done", { time, tokens: result.numTargetTokens ?? 0 });
    this.hypotheses.show(result.hypotheses);
    this.target.textContent = result.hypotheses[0].text ?? "";
    await this.explanation.complete(result.hypotheses[0]);
  }

  #request(modelSelection, text) {
    const [beamSize, numHypotheses] = [Number(this.beam.value), Number(this.nbest.value)];
    const decoding = { beamSize, numHypotheses };
    return { modelSelection, text, decoding, returnOptions: { scores: true, sentences: true } };
  }

  async #choose(hypothesis) {
    this.notice.clear();
    this.target.textContent = hypothesis.text ?? "";
    try {
      await this.explanation.show(hypothesis);
    } catch (error) {
      this.notice.show(error);
    }
  }

  #clear() {
    this.notice.clear();
    this.target.textContent = "";
    this.status.textContent = "";
    this.hypotheses.clear();
    this.explanation.clear();
  }

  #setBusy(isBusy) {
    this.target.setAttribute("aria-busy", String(isBusy));
    this.stop.hidden = !isBusy;
  }
}
