/** The view that describes a picture and shows where in it the model looked for each word. */

import { element } from "./element.js";
import { ModelPicker } from "./model_picker.js";
import { Picture } from "./picture.js";
import { TokenLine } from "./token_line.js";

export class Captioner {
  /** @param {{api: Object, words: Object, theme: Object, models: Object, notice: Object}} parts */
  constructor({ api, words, theme, models, notice }) {
    Object.assign(this, { api, words, notice });
    const find = (id) => document.getElementById(id);
    Object.assign(this, { drop: find("drop"), input: find("picture"), status: find("caption-status") });
    this.root = find("captioned");
    this.picker = new ModelPicker(words, () => models.captioners, find("caption-picker"));
    this.line = new TokenLine({
      words,
      theme,
      label: "caption.words",
      onPoint: (index) => this.#light(index ?? this.pinned),
      onPin: (index) => this.#pin(index),
      onFocus: (index) => this.#light(index ?? this.pinned),
    });
    this.readout = element("p", { class: "readout" });
    this.score = element("p", { class: "status" });
    models.addEventListener("change", () => this.picker.show());
    this.picker.addEventListener("change", () => this.picture && this.#run());
    this.#listen();
  }

  #listen() {
    this.input.addEventListener("change", () => this.#take(this.input.files[0]));
    this.drop.addEventListener("dragover", (event) => {
      event.preventDefault();
      this.drop.classList.add("is-over");
    });
    this.drop.addEventListener("dragleave", () => this.drop.classList.remove("is-over"));
    this.drop.addEventListener("drop", (event) => {
      event.preventDefault();
      this.drop.classList.remove("is-over");
      this.#take(event.dataTransfer.files[0]);
    });
    document.addEventListener("paste", (event) => {
      const isSeen = !document.getElementById("view-caption").hidden;
      if (isSeen) this.#take(Array.from(event.clipboardData.files).find((file) => file.type.startsWith("image/")));
    });
  }

  async #take(file) {
    if (!file) return;
    this.notice.clear();
    const reading = Symbol(file.name);
    this.reading = reading;
    let picture = null;
    try {
      picture = await Picture.read(file);
    } catch {
      // said below
    }
    if (this.reading !== reading) return; // there is a later one
    if (!picture) {
      this.words.write(this.status, "caption.unreadable");
      return;
    }
    this.picture = picture;
    this.root.replaceChildren(this.picture.root);
    this.root.hidden = false;
    await this.#run();
  }

  async #run() {
    this.controller?.abort();
    const controller = new AbortController();
    this.controller = controller;
    this.words.write(this.status, "caption.busy");
    this.picture.show(null);
    try {
      const request = { modelSelection: this.picker.selection, image: this.picture.base64, decoding: { beamSize: 4 } };
      this.#show(await this.api.caption(request, controller.signal));
    } catch (error) {
      if (this.controller !== controller) return;
      this.status.textContent = "";
      this.notice.show(error);
    }
  }

  #show(response) {
    this.found = response.words ?? [];
    this.pinned = null;
    this.line.root.lang = response.languageCode ?? "";
    this.line.show(this.found.map(({ word }) => ({ text: word, beginsWord: true })));
    this.line.shade(null, null);
    const caption = element("p", { class: "caption", lang: response.languageCode ?? "" }, response.caption ?? "");
    const best = response.hypotheses?.[0];
    const values = { model: response.model, score: (best?.score ?? 0).toFixed(3) };
    this.words.write(this.score, "caption.by", values);
    const said = element("div", { class: "caption-said", "aria-live": "polite" }, caption, this.score);
    this.root.replaceChildren(this.picture.root, element("div", { class: "caption-side" }, said, this.line.root, this.readout));
    this.words.write(this.status, "caption.done");
    this.#light(null);
  }

  #pin(index) {
    this.pinned = this.pinned === index ? null : index;
    this.#light(this.pinned);
  }

  #light(index) {
    const word = this.found[index ?? -1];
    this.line.shade(null, index ?? null);
    this.picture.show(word?.attention ?? null);
    if (!word?.attention) {
      this.words.write(this.readout, "caption.hint");
      return;
    }
    const { weights, columns } = word.attention;
    const most = weights.indexOf(Math.max(...weights));
    this.words.write(this.readout, "caption.looks", {
      word: word.word,
      row: Math.floor(most / columns) + 1,
      column: (most % columns) + 1,
      weight: this.words.percent.format(weights[most]),
    });
  }
}
