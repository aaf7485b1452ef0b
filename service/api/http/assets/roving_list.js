/**
 * One stop of the Tab key for a line of many elements: the arrow keys go from one to the next, Home and End to the ends.
 */

const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

export class RovingList {
  /** @param {HTMLElement} root  its children are the elements */
  constructor(root) {
    this.root = root;
    root.addEventListener("keydown", (event) => this.#follow(event));
    root.addEventListener("focusin", (event) => this.#stopAt(event.target));
  }

  /** New elements in the place of the old; the first is where Tab stops, or the one with as many before it as before. */
  replace(elements) {
    const before = Array.from(this.root.children).findIndex((child) => child.tabIndex === 0);
    const hadFocus = this.root.contains(document.activeElement);
    this.root.replaceChildren(...elements);
    const stop = elements[Math.min(Math.max(before, 0), elements.length - 1)];
    for (const child of elements) child.tabIndex = child === stop ? 0 : -1;
    if (hadFocus) stop?.focus({ preventScroll: true });
  }

  #follow(event) {
    const all = Array.from(this.root.children);
    const at = all.indexOf(event.target);
    let next = null;
    if (event.key in STEPS) next = all[at + STEPS[event.key]];
    else if (event.key === "Home") next = all[0];
    else if (event.key === "End") next = all.at(-1);
    else return;
    event.preventDefault();
    next?.focus();
  }

  #stopAt(target) {
    for (const child of this.root.children) child.tabIndex = child === target ? 0 : -1;
  }
}
