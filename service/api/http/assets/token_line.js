/** Tokens in a line, as text that can be walked over: each shows by its colour how much of a weight it has. */

import { element } from "./element.js";
import { RovingList } from "./roving_list.js";

export class TokenLine {
  /**
   * @param {{words: Object, theme: Object, label: string, onPoint: function(?number), onPin: function(number),
   *   onFocus: function(?number)}} options  label: the key of its name; the functions get the index of a token
   */
  constructor({ words, theme, label, onPoint, onPin, onFocus }) {
    this.theme = theme;
    this.words = words;
    this.root = words.label(element("div", { class: "token-line", role: "listbox", "aria-orientation": "horizontal" }), label);
    this.list = new RovingList(this.root);
    const index = (event) => Array.from(this.root.children).indexOf(event.target.closest(".token"));
    const having = (event, act) => index(event) >= 0 && act(index(event));
    this.root.addEventListener("pointerover", (event) => having(event, onPoint));
    this.root.addEventListener("pointerleave", () => onPoint(null));
    this.root.addEventListener("focusin", (event) => event.target.matches(":focus-visible") && having(event, onFocus));
    this.root.addEventListener("focusout", () => onFocus(null));
    this.root.addEventListener("click", (event) => having(event, onPin));
    this.root.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      having(event, onPin);
    });
  }

  /** @param {Object[]} tokens  as Attention names them */
  show(tokens) {
    this.tokens = tokens;
    this.list.replace(tokens.map((token) => {
      const kinds = ["token", token.isSpecial && "is-special", token.beginsWord && "begins-word"];
      return element("span", { class: kinds.filter(Boolean).join(" "), role: "option", "aria-selected": "false" }, token.text);
    }));
    this.root.hidden = tokens.length === 0;
  }

  /**
   * Shade tokens.
   * @param {?number[]} weights  one for each token; null: none
   * @param {?number} lit  the token that is looked from
   */
  shade(weights, lit) {
    Array.from(this.root.children).forEach((token, index) => {
      token.classList.toggle("is-lit", index === lit);
      token.setAttribute("aria-selected", String(index === lit));
      token.classList.toggle("is-shaded", weights !== null);
      if (weights === null) return;
      token.style.setProperty("--shade", this.theme.scale.css(weights[index] ?? 0));
      token.style.setProperty("--on-shade", this.theme.scale.ink(weights[index] ?? 0));
    });
  }

  /** Middle, top and bottom of a token, in pixels from `origin`. */
  place(index, origin) {
    const box = this.root.children[index].getBoundingClientRect();
    return { x: box.left + box.width / 2 - origin.left, top: box.top - origin.top, bottom: box.bottom - origin.top };
  }
}
