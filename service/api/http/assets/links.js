/**
 * Source above, translation below, and threads between them: from the word that is pointed at to those it looks at, as
 * thick as the weight. While nothing is pointed at, the alignment: the model's own choice of one for each.
 */

import { drawing, element } from "./element.js";
import { TokenLine } from "./token_line.js";

/** Threads thinner than this are left out. */
const LEAST_WEIGHT = 0.02;
const THICKEST = 9;

export class Links {
  constructor(words, theme, spotlight) {
    this.spotlight = spotlight;
    this.threads = drawing("svg", { class: "threads", "aria-hidden": "true" });
    const line = (label, place) =>
      new TokenLine({
        words,
        theme,
        label,
        onPoint: (index) => spotlight.point(...place(index)),
        onPin: (index) => spotlight.pin(...place(index)),
        onFocus: (index) => this.#focus(place(index)),
      });
    this.source = line("links.source", (index) => [null, index]);
    this.target = line("links.target", (index) => [index, null]);
    this.root = element("div", { class: "links" }, this.source.root, this.target.root, this.threads);
    spotlight.addEventListener("change", () => this.light());
    theme.addEventListener("change", () => this.light());
    new ResizeObserver(() => this.light()).observe(this.root);
  }

  #focus([row, column]) {
    if (row !== null || column !== null) this.spotlight.focus(row, column);
    else if (!this.spotlight.isPinned) this.spotlight.clear();
  }

  /**
   * @param {import("./attention.js").Attention} attention
   * @param {import("./attention.js").Weights} weights  (T, S)
   * @param {number} numRows  how many of the target's tokens are shown
   */
  show(attention, weights, numRows) {
    if (attention !== this.attention || numRows !== this.numRows) {
      this.source.show(attention.sourceTokens);
      this.target.show(attention.targetTokens.slice(0, numRows));
    }
    this.attention = attention;
    this.weights = weights;
    this.numRows = numRows;
    this.light();
  }

  /** Show nothing. */
  clear() {
    this.attention = null;
    this.source.show([]);
    this.target.show([]);
    this.threads.replaceChildren();
  }

  /** Shade the words and draw the threads of what is pointed at. */
  light() {
    if (!this.attention || this.root.hidden) return;
    const { row, column } = this.spotlight;
    const isRow = row !== null && row < this.numRows;
    this.source.shade(isRow ? this.weights.row(row) : null, column);
    this.target.shade(!isRow && column !== null ? this.weights.column(column) : null, row);
    this.#draw(isRow ? row : null, isRow ? null : column);
  }

  #draw(row, column) {
    const origin = this.root.getBoundingClientRect();
    if (origin.width === 0) return;
    const isIdle = row === null && column === null;
    this.threads.classList.toggle("is-idle", isIdle);
    this.threads.setAttribute("viewBox", `0 0 ${origin.width} ${origin.height}`);
    const pairs = isIdle ? this.attention.links : this.#pairs(row, column);
    const drawn = pairs.filter((pair) => pair.weight >= LEAST_WEIGHT && pair.row < this.numRows);
    this.threads.replaceChildren(...drawn.map((pair) => this.#thread(pair, origin, isIdle)));
  }

  #pairs(row, column) {
    if (row !== null) return this.weights.row(row).map((weight, other) => ({ row, column: other, weight }));
    return this.weights.column(column).map((weight, other) => ({ row: other, column, weight }));
  }

  #thread({ row, column, weight }, origin, isIdle) {
    const from = this.source.place(column, origin);
    const to = this.target.place(row, origin);
    const middle = (from.bottom + to.top) / 2;
    return drawing("path", {
      d: `M${from.x} ${from.bottom} C${from.x} ${middle} ${to.x} ${middle} ${to.x} ${to.top}`,
      "stroke-width": isIdle ? 1.5 : Math.max(0.75, weight * THICKEST),
      "stroke-opacity": isIdle ? 0.25 + 0.5 * weight : 0.3 + 0.7 * weight,
    });
  }
}
