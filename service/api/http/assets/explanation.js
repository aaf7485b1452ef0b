/**
 * Where the model looked for a translation: as it grows, then of what is chosen. A text of several sentences was translated
 * sentence by sentence, so that only a sentence and its own translation have attention; a pair that the model never read
 * together is never asked for. One explanation is under way at a time: a newer one ends it.
 */

import { AttentionFollower } from "./attention_follower.js";
import { AttentionLoader } from "./attention_loader.js";
import { CROSS } from "./attention.js";
import { Explorer } from "./explorer.js";
import { Sentences } from "./sentences.js";

export class Explanation {
  /**
   * @param {{api: Object, words: Object, theme: Object, notice: Object}} parts
   * @param {HTMLElement} root
   */
  constructor({ api, words, theme, notice }, root) {
    this.notice = notice;
    this.root = root;
    this.loader = new AttentionLoader(api);
    this.explorer = new Explorer(words, theme, (choice) => this.#loadMap(choice));
    this.sentences = new Sentences(words, (index) => this.#choose(index));
    root.append(this.sentences.root, this.explorer.root);
  }

  /** A text is about to be translated: its attention is followed until somebody chooses what to look at. */
  begin(modelSelection, source) {
    this.clear();
    this.modelSelection = modelSelection;
    this.source = Array.from(source); // offsets count code points, not UTF-16 units
    this.#follow();
  }

  /** There is more text of a sentence. */
  grow(target, span) {
    const isSame = this.span?.sourceBegin === span.sourceBegin;
    this.span = span;
    this.growing = isSame ? this.growing : this.pairs.length;
    this.pairs[this.growing] = this.#pair(Array.from(target), span, this.growing);
    this.sentences.put(this.growing, this.pairs[this.growing]);
    if (!isSame && this.isHeld) this.#choose(this.index); // it is whole now
    else this.follower?.follow(this.pairs[this.growing]);
  }

  /** The translation is complete. Resolves when its attention is there, or that of what was chosen in the meantime. */
  async complete(hypothesis) {
    this.growing = null;
    this.#take(hypothesis);
    const { follower } = this;
    if (!follower) return; // a sentence was chosen
    await follower.finish();
    if (follower !== this.follower) return;
    this.index = Math.max(0, this.pairs.length - 1); // what grew last, so that nothing jumps
    this.sentences.follow(this.index);
    await this.#explain();
  }

  /** Another translation of the text is to be looked at; the sentence that was chosen stays so. */
  async show(hypothesis) {
    this.#take(hypothesis);
    await this.#explain();
  }

  /** Ask for nothing more. */
  stop() {
    this.controller.abort();
  }

  /** Show nothing, and ask for nothing more. */
  clear() {
    this.#only();
    Object.assign(this, { pairs: [], index: 0, growing: null, span: null, isHeld: false });
    this.sentences.clear();
    this.explorer.clear();
    this.root.hidden = true;
  }

  #take({ text = "", sentences = [] }) {
    const target = Array.from(text);
    this.pairs = sentences.map((span, index) => this.#pair(target, span, index));
    this.index = Math.min(this.index, Math.max(0, this.pairs.length - 1));
    this.sentences.show(this.pairs, this.index);
  }

  #pair(target, { sourceBegin = 0, sourceEnd = 0, targetBegin = 0, targetEnd = 0 }, index) {
    const source = this.source.slice(sourceBegin, sourceEnd).join("");
    return { index, source, target: target.slice(targetBegin, targetEnd).join("") };
  }

  /** What is asked for from here on ends what was asked for before. */
  #only() {
    this.controller?.abort();
    this.root.removeAttribute("aria-busy");
    this.controller = new AbortController();
    this.follower = null;
    return this.controller.signal;
  }

  #follow() {
    const signal = this.#only();
    const load = (pair) => {
      return this.loader.loadPart(this.#request(pair), { ...this.explorer.chooser.choice, kind: CROSS }, signal);
    };
    this.follower = new AttentionFollower(load, (attention, pair) => this.#grow(attention, pair), signal);
  }

  async #choose(index) {
    this.notice.clear();
    this.index = index;
    this.isHeld = index === this.growing;
    if (this.isHeld) {
      this.explorer.clear();
      this.#follow();
      this.follower.follow(this.pairs[index]);
      return;
    }
    try {
      await this.#explain();
    } catch (error) {
      this.notice.show(error);
    }
  }

  /** Explain the chosen sentence. */
  async #explain() {
    const signal = this.#only();
    const pair = this.pairs[this.index];
    if (!pair?.target.trim()) {
      this.explorer.clear();
      return;
    }
    this.root.setAttribute("aria-busy", "true");
    try {
      const attention = await this.loader.load(this.#request(pair), this.explorer.chooser.choice, signal);
      signal.throwIfAborted();
      this.#show(attention, true);
    } catch (error) {
      if (!signal.aborted) this.explorer.clear(); // what is shown belongs to something else
      throw error;
    } finally {
      if (signal === this.controller.signal) this.root.removeAttribute("aria-busy");
    }
  }

  #request({ source, target }) {
    return { modelSelection: this.modelSelection, source, target };
  }

  /** Show the attention of what there is so far. */
  #grow(attention, { index }) {
    if (this.explorer.chooser.kind !== CROSS || !attention.shape.kinds.length) return;
    this.index = index;
    this.sentences.follow(index);
    this.#show(attention, false);
  }

  #show(attention, isComplete) {
    this.root.hidden = false;
    this.explorer.show(attention, { isComplete, isGrowing: true });
  }

  async #loadMap(choice) {
    const { attention } = this.explorer;
    const { signal } = this.controller;
    try {
      const isSame = await this.loader.add(attention, this.#request(attention), choice, signal);
      if (!isSame) await this.#explain(); // the model was replaced
    } catch (error) {
      this.notice.show(error);
    }
  }
}
