/** In words and numbers what the spotlight shows. */

import { element } from "./element.js";

const MOST_NAMED = 4;
/** Weights below this are not worth a name. */
const LEAST_NAMED = 0.01;

export class Readout {
  constructor(words, spotlight) {
    this.words = words;
    this.spotlight = spotlight;
    this.root = element("p", { class: "readout" });
    spotlight.addEventListener("change", () => this.tell());
    words.addEventListener("change", () => this.tell());
  }

  /** New weights to read from. */
  show(weights, rowTokens, columnTokens) {
    this.weights = weights;
    this.rowTokens = rowTokens;
    this.columnTokens = columnTokens;
    this.tell();
  }

  /** Say what is lit. */
  tell() {
    if (!this.weights) return;
    const { row, column } = this.spotlight;
    if (row === null && column === null) {
      this.root.replaceChildren(this.words.write(element("span", { class: "hint" }), "readout.hint"));
    } else if (row !== null && column !== null) {
      this.#tellCell(row, column);
    } else if (row !== null) {
      this.#tellMany("readout.looksAt", this.rowTokens[row], this.weights.row(row), this.columnTokens);
    } else {
      this.#tellMany("readout.isSeenBy", this.columnTokens[column], this.weights.column(column), this.rowTokens);
    }
  }

  #tellCell(row, column) {
    const [from, to] = [this.rowTokens[row], this.columnTokens[column]];
    if (!from || !to) return;
    this.root.replaceChildren(name(from), ` ${this.words.get("readout.looksAt")} `, this.#share(to, this.weights.at(row, column)));
  }

  #tellMany(key, token, weights, others) {
    if (!token) return;
    const order = weights.map((_, index) => index).sort((one, other) => weights[other] - weights[one]);
    const named = order.slice(0, MOST_NAMED).filter((index) => weights[index] >= LEAST_NAMED && others[index]);
    const shares = named.map((index) => this.#share(others[index], weights[index]));
    this.root.replaceChildren(name(token), ` ${this.words.get(key)} `, ...shares);
  }

  #share(token, weight) {
    const number = element("span", { class: "number" }, this.words.percent.format(weight));
    return element("span", { class: "share" }, name(token), " ", number);
  }
}

function name(token) {
  return element("b", { class: token.isSpecial ? "is-special" : "" }, token.text);
}
