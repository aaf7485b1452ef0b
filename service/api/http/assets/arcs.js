/**
 * Self-attention as arcs over a line of tokens: from the one that is pointed at to those that it looks at (above), and
 * from those that look at it (below). While nothing is pointed at: the strongest look of each.
 */

import { drawing, element } from "./element.js";
import { DECODER } from "./attention.js";
import { TokenLine } from "./token_line.js";

const LEAST_WEIGHT = 0.02;
const THICKEST = 8;
/** Highest arc, in pixels; .arcs in the style sheet leaves that much room above and below. */
const HIGHEST = 62;

export class Arcs {
  constructor(words, theme, spotlight) {
    this.spotlight = spotlight;
    this.drawn = drawing("svg", { class: "threads", "aria-hidden": "true" });
    this.line = new TokenLine({
      words,
      theme,
      label: "arcs.line",
      onPoint: (index) => spotlight.point(...this.#place(index)),
      onPin: (index) => spotlight.pin(...this.#place(index)),
      onFocus: (index) => this.#focus(index),
    });
    this.strip = element("div", { class: "arcs-strip" }, this.line.root, this.drawn);
    this.root = element("div", { class: "arcs" }, this.strip);
    spotlight.addEventListener("change", () => this.light());
    theme.addEventListener("change", () => this.light());
    new ResizeObserver(() => this.light()).observe(this.root);
  }

  /**
   * @param {import("./attention.js").Attention} attention
   * @param {string} kind  of self-attention
   * @param {import("./attention.js").Weights} weights
   * @param {number} numRows  how many of the tokens that look are shown
   */
  show(attention, kind, weights, numRows) {
    // The decoder's row i looks from target token i, which stands behind what is looked at: beginning, then targets.
    this.shift = kind === DECODER ? 1 : 0;
    this.weights = weights;
    this.numRows = numRows;
    const looked = attention.columnTokens(kind);
    const tokens = kind === DECODER ? [looked[0], ...attention.targetTokens] : looked;
    this.line.show(tokens.slice(0, numRows + this.shift));
    this.light();
  }

  /** Which row and column a token of the line is: it looks, or at the beginning of the decoder is only looked at. */
  #place(index) {
    if (index === null) return [null, null];
    return index < this.shift ? [null, index] : [index - this.shift, null];
  }

  #focus(index) {
    if (index !== null) this.spotlight.focus(...this.#place(index));
    else if (!this.spotlight.isPinned) this.spotlight.clear();
  }

  /** Shade the words and draw the arcs of what is pointed at. */
  light() {
    if (!this.weights || this.root.hidden) return;
    const { row, column } = this.spotlight;
    const isRow = row !== null && row < this.numRows;
    const isColumn = !isRow && column !== null;
    let shades = null;
    if (isRow) shades = [...this.weights.row(row), 0];
    if (isColumn) shades = [...Array(this.shift).fill(0), ...this.weights.column(column)];
    const lit = isRow ? row + this.shift : column;
    this.line.shade(shades, lit);
    this.#draw(isRow ? row + this.shift : isColumn ? column : null);
  }

  #draw(at) {
    const origin = this.strip.getBoundingClientRect();
    if (origin.width === 0) return;
    this.drawn.setAttribute("viewBox", `0 0 ${origin.width} ${origin.height}`);
    this.drawn.classList.toggle("is-idle", at === null);
    const pairs = at === null ? this.#strongest() : this.#around(at);
    const shown = pairs.filter(({ from, to, weight }) => from !== to && weight >= LEAST_WEIGHT);
    this.drawn.replaceChildren(...shown.map((pair) => this.#arc(pair, origin, at)));
  }

  /** What a token looks at and what looks at it: {from, to, weight}, places in the line. */
  #around(at) {
    const row = at - this.shift;
    const looks = row < 0 ? [] : this.weights.row(row).map((weight, to) => ({ from: at, to, weight }));
    if (at >= this.weights.columns) return looks;
    const looked = this.weights.column(at).slice(0, this.numRows);
    return [...looks, ...looked.map((weight, other) => ({ from: other + this.shift, to: at, weight }))];
  }

  #strongest() {
    return Array.from({ length: this.numRows }, (_, row) => {
      const weights = this.weights.row(row);
      const weight = Math.max(...weights.filter((_, to) => to !== row + this.shift));
      return { from: row + this.shift, to: weights.indexOf(weight), weight };
    });
  }

  #arc({ from, to, weight }, origin, at) {
    const begin = this.line.place(from, origin);
    const end = this.line.place(to, origin);
    const isAbove = at === null || from === at;
    const y = isAbove ? begin.top - 2 : begin.bottom + 2;
    const radius = Math.abs(end.x - begin.x) / 2;
    const sweep = begin.x < end.x === isAbove ? 1 : 0;
    return drawing("path", {
      class: isAbove ? "looks" : "looked-at",
      d: `M${begin.x} ${y} A${radius} ${Math.min(radius, HIGHEST)} 0 0 ${sweep} ${end.x} ${y}`,
      "stroke-width": Math.max(0.75, weight * THICKEST),
      "stroke-opacity": at === null ? 0.3 + 0.6 * weight : 0.3 + 0.7 * weight,
    });
  }
}
