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
    this.#tellAddress();
    const field = document.getElementById("token");
    field.value = token.value;
    document.getElementById("token-form").addEventListener("submit", async (event) => {
      event.preventDefault();
      token.value = field.value.trim();
      if (await reload()) words.write(this.said, token.value ? "token.accepted" : "token.forgotten");
      else this.said.textContent = "";
    });
  }

  async #tellAddress() {
    const response = await fetch(new URL("service.json", import.meta.url));
    const { grpcAddress } = await response.json();
    this.words.write(document.getElementById("grpc"), "service.grpc", { address: grpcAddress });
  }

  #list() {
    const rows = this.models.all.map((model) => {
      const languages = pairsOf(model).map(({ source, target }) => {
        const name = this.words.languageName(target);
        return source ? `${this.words.languageName(source)} → ${name}` : name;
      });
      const limits = `${model.maxSourceTokens} · ${model.maxTargetTokens}`;
      const cells = [model.version, languages.join(", "), model.architecture, model.precision, limits];
      const row = cells.map((text) => element("td", {}, text));
      return element("tr", {}, element("th", { scope: "row" }, model.name), ...row, element("td", {}, this.#about(model)));
    });
    document.getElementById("models").replaceChildren(...rows);
  }

  #about(model) {
    const summary = this.words.write(element("summary"), "model.show");
    const parts = [["model.licence", model.licence], ["model.training", model.trainingData]].flatMap(([key, text]) => {
      return [this.words.write(element("dt"), key), element("dd", {}, text || "–")];
    });
    return element("details", {}, summary, element("dl", {}, ...parts));
  }
}
