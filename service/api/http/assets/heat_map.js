/**
 * The heat map: a row for each token that looks, a column for each that is looked at.
 *
 * However large, it is one canvas with one pixel for each weight, which the browser enlarges, and names beside it. For
 * keyboards and screen readers it is a grid, of which only the cell in focus exists (GridCursor).
 */

import { element } from "./element.js";
import { GridCursor } from "./grid_cursor.js";

const LARGEST_CELL = 42;
const SMALLEST_CELL = 15;
/** Names above columns lie flat where they fit. */
const WIDEST_CHARACTER = 14;
/** Scripts that are written from top to bottom, too; others are turned. */
const STACKED = /^[\p{Script=Hangul}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]+$/u;
/** Rows that come are shown this long one after another, but all of them within the other. Milliseconds. */
const ROW_TIME = 70;
const WHOLE_TIME = 1500;

export class HeatMap {
  constructor(words, theme, spotlight) {
    this.words = words;
    this.theme = theme;
    this.spotlight = spotlight;
    this.canvas = element("canvas", { class: "map-canvas", "aria-hidden": "true" });
    this.cross = element("div", { class: "map-cross", "aria-hidden": "true" });
    this.heads = element("div", { role: "row", class: "map-heads", "aria-rowindex": "1" });
    this.body = element("div", { class: "map-body", role: "rowgroup" });
    this.field = element("div", { class: "map-field" }, this.canvas, this.cross, this.body);
    const top = element("div", { role: "rowgroup", class: "map-top" }, this.heads);
    this.grid = element("div", { role: "grid", class: "map-grid" }, top, this.field);
    this.root = element("div", { class: "map" }, this.grid);
    words.label(this.grid, "map.label");
    this.cursor = new GridCursor(this);
    this.numShown = 0;
    this.#listen();
  }

  #listen() {
    this.field.addEventListener("pointermove", (event) => this.#point(event, "point"));
    this.field.addEventListener("click", (event) => this.#point(event, "pin"));
    this.root.addEventListener("pointerleave", () => this.spotlight.point(null, null));
    this.heads.addEventListener("pointerover", (event) => this.#pointHead(event, "point"));
    this.heads.addEventListener("click", (event) => this.#pointHead(event, "pin"));
    this.spotlight.addEventListener("change", () => this.#light());
    this.theme.addEventListener("change", () => this.paint());
    new ResizeObserver(() => this.#resize()).observe(this.root);
  }

  /**
   * Show weights. Rows that were not there before come one after another when `isGrowing`.
   * @param {import("./attention.js").Weights} weights
   * @param {{rowTokens: Object[], columnTokens: Object[], numRows: number, isGrowing: boolean}} options
   */
  show(weights, { rowTokens, columnTokens, numRows, isGrowing }) {
    cancelAnimationFrame(this.frame); // of rows that may not be there any more
    const hadFocus = this.grid.contains(document.activeElement);
    this.weights = weights;
    this.rowTokens = rowTokens.slice(0, numRows);
    this.columnTokens = columnTokens;
    this.grid.setAttribute("aria-rowcount", String(numRows + 1));
    this.grid.setAttribute("aria-colcount", String(weights.columns + 1));
    this.heads.replaceChildren(this.#corner(), ...columnTokens.map((token, column) => this.#head(token, column)));
    this.#resize();
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.numShown = isGrowing && !still ? Math.min(this.numShown, numRows) : numRows;
    this.body.replaceChildren(...this.rowTokens.slice(0, this.numShown).map((token, row) => this.#line(token, row)));
    this.cursor.restore(hadFocus);
    this.paint();
    if (this.numShown < numRows) this.#grow();
  }

  /** Show nothing, and let the next rows grow from the first. */
  clear() {
    cancelAnimationFrame(this.frame);
    this.weights = null;
    this.numShown = 0;
    this.heads.replaceChildren();
    this.body.replaceChildren();
  }

  /** Draw the weights of the rows that are shown. */
  paint() {
    if (!this.weights) return;
    const { columns } = this.weights;
    this.canvas.width = columns;
    this.canvas.height = Math.max(1, this.rowTokens.length);
    this.#paintRows(0, this.numShown);
    this.#light();
  }

  #paintRows(first, end) {
    const { columns } = this.weights;
    if (end <= first) return;
    const context = this.canvas.getContext("2d");
    const image = context.createImageData(columns, end - first);
    for (let row = first; row < end; row += 1) {
      for (let column = 0; column < columns; column += 1) {
        const at = ((row - first) * columns + column) * 4;
        image.data.set(this.theme.scale.rgb(this.weights.at(row, column)), at);
        image.data[at + 3] = 255;
      }
    }
    context.putImageData(image, 0, first);
  }

  #grow() {
    cancelAnimationFrame(this.frame);
    const total = this.rowTokens.length;
    const time = Math.min(ROW_TIME, WHOLE_TIME / total);
    const begin = performance.now() - this.numShown * time;
    const step = (now) => {
      const wanted = Math.min(total, 1 + Math.floor((now - begin) / time));
      for (let row = this.numShown; row < wanted; row += 1) {
        const line = this.#line(this.rowTokens[row], row);
        line.classList.add("is-new");
        this.body.append(line);
      }
      this.#paintRows(this.numShown, wanted);
      this.numShown = Math.max(this.numShown, wanted);
      this.cursor.restore();
      if (this.numShown < total) this.frame = requestAnimationFrame(step);
    };
    this.frame = requestAnimationFrame(step);
  }

  #corner() {
    return element("span", { role: "gridcell", class: "map-corner", "aria-colindex": "1" });
  }

  #head(token, column) {
    const attributes = { role: "columnheader", class: "map-head", tabindex: "-1", "aria-colindex": column + 2 };
    return element("span", attributes, element("span", { class: token.isSpecial ? "name is-special" : "name" }, token.text));
  }

  #line(token, row) {
    const name = element("span", { class: token.isSpecial ? "name is-special" : "name" }, token.text);
    const header = element("span", { role: "rowheader", class: "map-name", tabindex: "-1", "aria-colindex": "1" }, name);
    return element("div", { role: "row", class: "map-row", "aria-rowindex": row + 2 }, header);
  }

  #resize() {
    if (!this.weights) return;
    const { columns } = this.weights;
    const room = Math.floor((this.root.clientWidth - this.heads.firstChild.offsetWidth) / columns);
    this.cell = Math.min(LARGEST_CELL, Math.max(SMALLEST_CELL, room));
    this.root.style.setProperty("--cell", `${this.cell}px`);
    this.root.style.setProperty("--columns", columns);
    this.root.style.setProperty("--rows", this.rowTokens.length);
    const heads = Array.from(this.heads.children).slice(1);
    heads.forEach((head, column) => {
      const { text } = this.columnTokens[column];
      head.classList.toggle("is-flat", Array.from(text).length * WIDEST_CHARACTER <= this.cell);
      head.classList.toggle("is-stacked", STACKED.test(text));
    });
  }

  /** Light the row and the column of the spotlight, and shade the names by the weights that they get. */
  #light() {
    if (!this.weights) return;
    const { row, column } = this.spotlight;
    this.cross.dataset.shows = (row === null ? "" : "row ") + (column === null ? "" : "column");
    this.root.style.setProperty("--row", row ?? 0);
    this.root.style.setProperty("--column", column ?? 0);
    const heads = Array.from(this.heads.children).slice(1);
    heads.forEach((head, index) => this.#shade(head, row === null ? null : this.weights.at(row, index), index === column));
    Array.from(this.body.children).forEach((line, index) => {
      const weight = column === null || row !== null ? null : this.weights.at(index, column);
      this.#shade(line.firstChild, weight, index === row);
    });
  }

  #shade(name, weight, isLit) {
    name.classList.toggle("is-lit", isLit);
    name.classList.toggle("is-shaded", weight !== null);
    if (weight === null) return;
    name.style.setProperty("--shade", this.theme.scale.css(weight));
    name.style.setProperty("--on-shade", this.theme.scale.ink(weight));
  }

  #point(event, how) {
    if (!this.weights) return;
    const box = this.canvas.getBoundingClientRect();
    const row = Math.floor((event.clientY - box.top) / this.cell);
    const column = Math.floor((event.clientX - box.left) / this.cell);
    if (row < 0 || row >= this.numShown || column >= this.weights.columns) return;
    const isName = Boolean(event.target.closest(".map-name")) || column < 0;
    this.spotlight[how](row, isName ? null : column);
  }

  #pointHead(event, how) {
    const head = event.target.closest(".map-head");
    if (head) this.spotlight[how](null, Number(head.getAttribute("aria-colindex")) - 2);
  }
}
