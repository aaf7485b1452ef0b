/**
 * Follows a translation while it is written: asks for the attention of what is there so far, one request at a time, always
 * for the newest text of a sentence. What the decoder looked at before does not change by what it writes later.
 */

export class AttentionFollower {
  /**
   * @param {function({source: string, target: string}): Promise} load  the attention of a sentence so far
   * @param {function(import("./attention.js").Attention, Object)} show  gets each answer, and what was asked for
   * @param {AbortSignal} signal  ends it
   */
  constructor(load, show, signal) {
    this.load = load;
    this.show = show;
    this.signal = signal;
    this.pair = null;
    this.asked = null;
    this.isOver = false;
    this.running = null;
  }

  /** There is more text of a sentence, or a further sentence. */
  follow(pair) {
    this.pair = pair;
    this.running ??= this.#ask();
  }

  /** The translation is complete, and its attention is asked for elsewhere. Waits for the request under way. */
  async finish() {
    this.isOver = true;
    await this.running;
  }

  async #ask() {
    try {
      while (!this.isOver && this.pair !== this.asked && this.pair.target.trim()) {
        const pair = this.pair;
        this.asked = pair;
        const attention = await this.load(pair);
        if (!this.signal.aborted) this.show(attention, pair);
      }
    } catch {
      this.isOver = true; // what is wrong with the request, the final one will say as well
    }
    this.running = null;
  }
}
