/**
 * Follows a translation while it is written: asks for the attention of what is there so far, one request at a time, always
 * for the newest text. What the decoder looked at before does not change by what it writes later.
 */

export class AttentionFollower {
  /**
   * @param {function(string): Promise} load  the attention of the text so far
   * @param {function(import("./attention.js").Attention)} show  gets each answer
   * @param {AbortSignal} signal  ends it
   */
  constructor(load, show, signal) {
    this.load = load;
    this.show = show;
    this.signal = signal;
    this.text = "";
    this.asked = "";
    this.isOver = false;
    this.running = null;
  }

  /** There is more text. */
  follow(text) {
    this.text = text;
    this.running ??= this.#ask();
  }

  /** The translation is complete, and its attention is asked for elsewhere. Waits for the request under way. */
  async finish() {
    this.isOver = true;
    await this.running;
  }

  async #ask() {
    try {
      while (!this.isOver && this.text !== this.asked && this.text.trim()) {
        this.asked = this.text;
        const attention = await this.load(this.text);
        if (!this.signal.aborted) this.show(attention);
      }
    } catch {
      this.isOver = true; // what is wrong with the request, the final one will say as well
    }
    this.running = null;
  }
}
