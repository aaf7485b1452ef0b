/** The sentences of a text, each translated by itself, to choose from which one is looked at. One alone is not listed. */

import { element } from "./element.js";

export class Sentences {
  /**
   * @param {import("./words.js").Words} words
   * @param {function(number)} onChoose  gets the sentence's index
   */
  constructor(words, onChoose) {
    this.words = words;
    this.onChoose = onChoose;
    this.title = words.write(element("h3"), "sentences.title");
    this.list = words.label(element("div", { class: "sentence-list", role: "radiogroup" }), "sentences.label");
    const says = words.write(element("p", { class: "says" }), "sentences.says");
    this.root = element("div", { class: "sentences", hidden: true }, this.title, says, this.list);
  }

  /** Show none. */
  clear() {
    this.list.replaceChildren();
    this.root.hidden = true;
  }

  /**
   * Show all, in the place of those before.
   * @param {{source: string, target: string}[]} pairs
   * @param {number} chosen
   */
  show(pairs, chosen) {
    while (this.list.children.length > pairs.length) this.list.lastChild.remove();
    pairs.forEach((pair, index) => this.put(index, pair));
    if (pairs.length) this.#choose(chosen);
  }

  /** One more, or more of one. */
  put(index, { source, target }) {
    while (this.list.children.length <= index) this.list.append(this.#line(this.list.children.length));
    const [own, translation] = this.list.children[index].querySelectorAll(".sentence-text");
    if (own.textContent !== source) own.textContent = source;
    if (translation.textContent !== target) translation.textContent = target;
    this.root.hidden = this.list.children.length < 2;
  }

  /** Choose the one that is being written, and let it be seen. */
  follow(index) {
    this.#choose(index);
    this.list.scrollTop = this.list.scrollHeight;
  }

  #choose(index) {
    const input = this.list.children[index].querySelector("input");
    if (!input.checked) input.checked = true;
  }

  #line(index) {
    // No change event: who clicks at the one that is shown while others are written wants it to stay.
    const input = element("input", { type: "radio", name: "sentence", click: () => this.onChoose(index) });
    const number = element("span", { class: "sentence-number" }, `${index + 1}`);
    const text = () => element("span", { class: "sentence-text" });
    return element("label", { class: "sentence" }, input, number, text(), text());
  }
}
