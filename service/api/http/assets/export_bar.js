/** Buttons that save or copy what a heat map shows. */

import { element } from "./element.js";
import { FORMATS, canCopy, copy, save, written } from "./exports.js";

export class ExportBar {
  /**
   * @param {import("./words.js").Words} words
   * @param {function(): {figure: Object, numbers: Object, name: string}} shown  what there is to keep now
   */
  constructor(words, shown) {
    this.words = words;
    this.shown = shown;
    this.said = element("span", { class: "export-said", role: "status" });
    const groups = [this.#group("export.save", (format) => this.#save(format))];
    if (canCopy()) groups.push(this.#group("export.copy", (format) => this.#copy(format)));
    this.root = element("div", { class: "exports" }, ...groups, this.said);
  }

  #group(key, act) {
    const name = this.words.write(element("span", { class: "export-name" }), key);
    const buttons = FORMATS.map((format) => {
      const button = element("button", { type: "button", class: "small", click: () => act(format) }, format.toUpperCase());
      button.dataset.act = `${key}.${format}`;
      return this.words.label(button, `${key}As`, { format: format.toUpperCase() });
    });
    return element("span", { class: "export-group" }, name, ...buttons);
  }

  async #save(format) {
    const { figure, numbers, name } = this.shown();
    save(await written(format, figure, numbers), `${name}.${format}`);
  }

  async #copy(format) {
    const { figure, numbers } = this.shown();
    try {
      await copy(await written(format, figure, numbers));
      this.words.write(this.said, "export.copied", { format: format.toUpperCase() });
    } catch (error) {
      this.words.write(this.said, "export.notCopied", { reason: error.message });
    }
  }
}
