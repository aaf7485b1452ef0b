/**
 * The keyboard's place in a heat map. Tab comes to one place; the arrow keys go from there over cells and names.
 *
 * A cell is made when the focus comes to it and goes when the focus has left: a map of 256 × 256 weights has as many cells
 * as one of 4 × 4, and a screen reader hears of a new cell each time.
 *
 * Place: row and column from 0; -1 are the names.
 */

import { element } from "./element.js";

const PAGE = 10;

export class GridCursor {
  /** @param {import("./heat_map.js").HeatMap} map */
  constructor(map) {
    this.map = map;
    this.row = 0;
    this.column = 0;
    map.grid.addEventListener("keydown", (event) => this.#follow(event));
    map.grid.addEventListener("focusin", () => map.spotlight.focus(...this.#spotted()));
    map.grid.addEventListener("focusout", (event) => this.#leave(event));
    map.grid.addEventListener("click", (event) => this.#come(event));
  }

  /** After rows were made anew: a place for Tab to come to, which gets the focus if the map had it. */
  restore(hadFocus = false) {
    if (this.map.numShown === 0) return;
    const row = Math.min(this.row, this.map.numShown - 1);
    const column = Math.min(this.column, this.map.weights.columns - 1);
    if (this.here?.isConnected && row === this.row && column === this.column) return;
    this.#place(row, column, hadFocus);
  }

  #follow(event) {
    const move = this.#moved(event);
    if (event.key === "Escape") this.map.spotlight.clear();
    if (event.key === "Enter" || event.key === " ") this.map.spotlight.pin(...this.#spotted());
    else if (!move) return;
    event.preventDefault();
    if (!move) return;
    const lastRow = this.map.numShown - 1;
    const lastColumn = this.map.weights.columns - 1;
    const row = Math.max(-1, Math.min(lastRow, move[0]));
    const column = Math.max(row < 0 ? 0 : -1, Math.min(lastColumn, move[1]));
    this.#place(row, column, true);
  }

  #moved(event) {
    const { row, column } = this;
    const { columns } = this.map.weights;
    switch (event.key) {
      case "ArrowUp": return [row - 1, column];
      case "ArrowDown": return [row + 1, column];
      case "ArrowLeft": return [row, column - 1];
      case "ArrowRight": return [row, column + 1];
      case "PageUp": return [Math.max(0, row - PAGE), column];
      case "PageDown": return [row + PAGE, column];
      case "Home": return [event.ctrlKey ? 0 : row, 0];
      case "End": return [event.ctrlKey ? this.map.numShown : row, columns];
      default: return null;
    }
  }

  /** Make the place's element the one that Tab comes to. */
  #place(row, column, isFocused) {
    const before = this.here;
    this.row = row;
    this.column = column;
    if (row < 0) this.here = this.map.heads.children[column + 1];
    else if (column < 0) this.here = this.map.body.children[row].firstChild;
    else this.here = this.#cell(row, column);
    this.here.tabIndex = 0;
    if (isFocused) this.here.focus({ preventScroll: !this.map.grid.contains(document.activeElement) });
    if (!before || before === this.here) return;
    before.tabIndex = -1;
    if (before.getAttribute("role") === "gridcell") before.remove();
  }

  #cell(row, column) {
    const line = this.map.body.children[row];
    const words = this.map.words;
    const cell = element("span", { role: "gridcell", class: "map-cell", "aria-colindex": column + 2 });
    words.label(cell, "map.cell", {
      row: this.map.rowTokens[row].text,
      column: this.map.columnTokens[column].text,
      weight: words.percent.format(this.map.weights.at(row, column)),
    });
    cell.style.setProperty("--column", column);
    line.append(cell);
    return cell;
  }

  #spotted() {
    return [this.row < 0 ? null : this.row, this.column < 0 ? null : this.column];
  }

  #leave(event) {
    if (!this.map.grid.contains(event.relatedTarget) && !this.map.spotlight.isPinned) this.map.spotlight.clear();
  }

  /** A click takes the place along. */
  #come(event) {
    const { row, column } = this.map.spotlight;
    if (event.detail > 0 && (row !== null || column !== null)) this.#place(row ?? -1, column ?? -1, true);
  }
}
