/** The view that tells what runs here, and takes the visitor's token. */

import { element } from "./element.js";
import { pairsOf } from "./model_list.js";

export class Service {
  /** @param {{words: Object, models: Object, token: Object, reload: function(): Promise}} parts */
  constructor({ words, models, token, reload }) {
    this.words = words;
    this.models = models;
    this.said = document.getElementById("token-said");
    models.addEventListener("change", () => this.#list());
    words.addEventListener("change", () => this.#list());
    const field = document.getElementById("token");
    field.value = token.value;
    document.getElementById("token-form").addEventListener("submit", async (event) => {
      event.preventDefault();
      token.value = field.value.trim();
      if (await reload()) words.write(this.said, token.value ? "token.accepted" : "token.forgotten");
      else this.said.textContent = "";
    });
  }

  #list() {
    const rows = this.models.all.map((model) => {
      const languages = pairsOf(model).map(({ source, target }) => {
        const name = this.words.languageName(target);
        return source ? `${this.words.languageName(source)} → ${name}` : name;
      });
      const cells = [model.version, languages.join(", "), model.architecture, model.precision, model.licence, model.trainingData];
      return element("tr", {}, element("th", { scope: "row" }, model.name), ...cells.map((text) => element("td", {}, text ?? "")));
    });
    document.getElementById("models").replaceChildren(...rows);
  }
}
