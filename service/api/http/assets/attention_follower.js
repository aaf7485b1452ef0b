/**
 * Follows a translation while it is written: asks for the attention of what is there so far, one request at a time, always
 * for the newest text. What the decoder looked at before does not change by what it writes later.
 */

import { Attention } from "./attention.js";

export class AttentionFollower {
  /**
   * @param {import("./api.js").Api} api
   * @param {function(string): Object} requestOf  an AttendRequest for the text so far
   * @param {function(Attention)} show  gets each answer
   * @param {AbortSignal} signal  ends it
   */
  constructor(api, requestOf, show, signal) {
    this.api = api;
    this.requestOf = requestOf;
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
        const response = await this.api.attend(this.requestOf(this.text), this.signal);
        if (!this.signal.aborted) this.show(new Attention(response));
      }
    } catch {
      this.isOver = true; // what is wrong with the request, the final one will say as well
    }
    this.running = null;
  }
}
