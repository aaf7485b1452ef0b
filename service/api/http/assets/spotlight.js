/**
 * Where the visitor looks: a row (a token that looks), a column (a token that is looked at), or both: a cell. All views of
 * one attention share it. A click pins it, so that it stays when the pointer leaves.
 */

export class Spotlight extends EventTarget {
  row = null;
  column = null;
  isPinned = false;

  /** Look there, unless something is pinned. */
  point(row, column) {
    if (!this.isPinned) this.#move(row, column);
  }

  /** Stay there; a second time: let go. */
  pin(row, column) {
    const isSame = this.isPinned && this.row === row && this.column === column;
    this.isPinned = !isSame;
    this.row = row;
    this.column = column;
    this.dispatchEvent(new Event("change"));
  }

  /** Follow the keyboard, which takes a pin along. */
  focus(row, column) {
    this.#move(row, column);
  }

  /** Look nowhere. */
  clear() {
    this.isPinned = false;
    this.#move(null, null);
  }

  #move(row, column) {
    if (row === this.row && column === this.column) return;
    this.row = row;
    this.column = column;
    this.dispatchEvent(new Event("change"));
  }
}
