/** One word in two sentences: how near its encodings are, and in each what it looks at and what looks at it. */

import { CROSS, ENCODER, MEAN, within } from "./attention.js";
import { element } from "./element.js";
import { cosine, mean, shared, unrelated } from "./encodings.js";

const MOST_BARS = 5;

export class ComparisonResult {
  constructor(words, theme, root) {
    this.words = words;
    this.theme = theme;
    this.root = root;
    theme.addEventListener("change", () => this.#draw());
    words.addEventListener("change", () => this.#draw());
  }

  /**
   * @param {string} word
   * @param {import("./attention.js").Attention[]} sides  two, with encodings
   * @param {{begin: number, end: number}[]} places  where the word stands in each source
   */
  show(word, sides, places) {
    this.shown = { word, sides, tokens: places.map(({ begin, end }, side) => within(sides[side].sourceTokens, begin, end)) };
    this.#draw();
    this.root.hidden = false;
  }

  /** Show nothing. */
  clear() {
    this.shown = null;
    this.root.hidden = true;
  }

  #draw() {
    if (!this.shown) return;
    const { sides } = this.shown;
    const columns = element("div", { class: "pair" }, ...sides.map((_, side) => this.#side(side)));
    this.root.replaceChildren(this.#nearness(), columns);
  }

  #nearness() {
    const { word, sides, tokens } = this.shown;
    const section = element("section", { class: "nearness" }, this.words.write(element("h2"), "compare.nearness", { word }));
    const [one, other] = sides;
    if (one.model !== other.model || !one.encodings.length || !other.encodings.length) {
      section.append(this.words.write(element("p"), one.model === other.model ? "compare.noEncodings" : "compare.twoModels"));
      return section;
    }
    const [own, others] = sides.map((side, index) => mean(tokens[index].map((token) => side.encodings[token])));
    const near = cosine(own, others);
    const pieces = new Set(tokens[0].map((token) => one.sourceTokens[token].text));
    const lines = [
      this.#bar(element("b", {}, word), near, near.toFixed(2), "is-word"),
      ...shared(one, other).filter((token) => !pieces.has(token.text)).map((token) => {
        return this.#bar(element("span", {}, token.text), token.cosine, token.cosine.toFixed(2));
      }),
    ];
    const far = unrelated(one, other);
    lines.push(this.#bar(this.words.write(element("i"), "compare.unrelated"), far, far.toFixed(2), "is-ground"));
    section.append(this.words.write(element("p", { class: "says" }), "compare.nearnessSays", { word }));
    section.append(element("ul", { class: "bars wide" }, ...lines));
    return section;
  }

  #side(index) {
    const attention = this.shown.sides[index];
    const tokens = this.shown.tokens[index];
    const looks = attention.weights(ENCODER, MEAN, MEAN);
    const looked = attention.weights(CROSS, MEAN, MEAN);
    const { word } = this.shown;
    const title = this.words.write(element("span"), index === 0 ? "compare.first" : "compare.other");
    const parts = [element("h2", { class: "side-name" }, title, ` · ${attention.model}`)];
    const selves = looks && average(tokens.map((token) => looks.row(token)));
    parts.push(this.#text(attention.sourceTokens, selves, tokens));
    if (looks) parts.push(this.words.write(element("h3"), "compare.looksAt", { word }), this.#bars(attention.sourceTokens, selves));
    const crosses = looked && sum(tokens.map((token) => looked.column(token)));
    parts.push(this.#text(attention.targetTokens, crosses, []));
    if (looked) parts.push(this.words.write(element("h3"), "compare.isSeenBy", { word }), this.#bars(attention.targetTokens, crosses));
    if (!looks && !looked) parts.push(this.words.write(element("p"), "attention.none"));
    return element("article", { class: "compared" }, ...parts);
  }

  #text(tokens, weights, lit) {
    return element("p", { class: "token-line" }, ...tokens.map((token, index) => {
      const kinds = ["token", token.isSpecial && "is-special", token.beginsWord && "begins-word", lit.includes(index) && "is-lit"];
      const span = element("span", { class: kinds.filter(Boolean).join(" ") }, token.text);
      if (!weights) return span;
      span.classList.add("is-shaded");
      span.style.setProperty("--shade", this.theme.scale.css(weights[index]));
      span.style.setProperty("--on-shade", this.theme.scale.ink(weights[index]));
      return span;
    }));
  }

  #bars(tokens, weights) {
    const order = weights.map((_, index) => index).sort((one, other) => weights[other] - weights[one]).slice(0, MOST_BARS);
    return element("ul", { class: "bars" }, ...order.map((index) => {
      const name = element("span", { class: tokens[index].isSpecial ? "is-special" : "" }, tokens[index].text);
      return this.#bar(name, weights[index], this.words.percent.format(weights[index]));
    }));
  }

  #bar(name, share, number, kind = "") {
    const bar = element("span", { class: "bar", "aria-hidden": "true" });
    bar.style.setProperty("--share", Math.min(1, Math.max(0, share)));
    return element("li", { class: kind }, element("span", { class: "bar-name" }, name), bar, element("span", { class: "number" }, number));
  }
}

function sum(lists) {
  return lists[0].map((_, index) => lists.reduce((total, list) => total + list[index], 0));
}

function average(lists) {
  return sum(lists).map((total) => total / lists.length);
}
