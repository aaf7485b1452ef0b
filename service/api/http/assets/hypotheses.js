/** The n best translations with their scores; one is chosen to be looked at. */

import { element } from "./element.js";

export class Hypotheses {
  /**
   * @param {import("./words.js").Words} words
   * @param {HTMLElement} root
   * @param {function(Object)} onChoose  gets the Hypothesis
   */
  constructor(words, root, onChoose) {
    this.words = words;
    this.root = root;
    this.onChoose = onChoose;
  }

  /** @param {Object[]} hypotheses  best first; one alone is not listed */
  show(hypotheses) {
    if (hypotheses.length < 2) {
      this.clear();
      return;
    }
    const scores = hypotheses.map((hypothesis) => hypothesis.score ?? 0);
    const lines = hypotheses.map((hypothesis, index) => this.#line(hypothesis, index, scores));
    const head = element("div", { class: "nbest-head", "aria-hidden": "true" },
      this.words.write(element("span"), "nbest.title"),
      this.words.write(element("span"), "nbest.score"));
    const group = this.words.label(element("div", { class: "nbest", role: "radiogroup" }, head, ...lines), "nbest.title");
    this.root.replaceChildren(group);
  }

  /** Show none. */
  clear() {
    this.root.replaceChildren();
  }

  #line(hypothesis, index, scores) {
    const input = element("input", { type: "radio", name: "hypothesis", change: () => this.onChoose(hypothesis) });
    input.checked = index === 0;
    const bar = element("span", { class: "nbest-bar", "aria-hidden": "true" });
    bar.style.setProperty("--share", Math.exp(scores[index] - scores[0]));
    const score = element("span", { class: "nbest-score" }, scores[index].toFixed(3));
    const text = element("span", { class: "nbest-text" }, hypothesis.text ?? "");
    return element("label", { class: "nbest-line" }, input, text, bar, score);
  }
}
