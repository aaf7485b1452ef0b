/** Builds the page's parts and puts them together. */

import { Api } from "./api.js";
import { Captioner } from "./captioner.js";
import { Comparison } from "./comparison.js";
import { ModelList } from "./model_list.js";
import { Notice } from "./notice.js";
import { Service } from "./service.js";
import { Theme } from "./theme.js";
import { Token } from "./token.js";
import { Translator } from "./translator.js";
import { Views } from "./views.js";
import { Words } from "./words.js";

const theme = new Theme();
const words = await Words.load();
const token = new Token();
const api = new Api(token);
const models = new ModelList(api);
const views = new Views();
const notice = new Notice(words, document.getElementById("notice"));

const parts = { api, words, theme, models, notice };
new Translator(parts);
new Comparison(parts);
new Captioner(parts);
new Service({ words, models, token, reload });

models.addEventListener("change", () => views.offer("caption", models.captioners.length > 0));
follow(document.getElementById("language"), words.language, (language) => words.choose(language));
follow(document.getElementById("theme"), theme.choice, (choice) => theme.choose(choice));
views.show();
await reload();
document.documentElement.dataset.ready = "";

/** Ask again which models there are; whether the service answered. */
async function reload() {
  notice.clear();
  try {
    await models.load();
    return true;
  } catch (error) {
    notice.show(error);
    return false;
  }
}

function follow(select, value, choose) {
  select.value = value;
  select.addEventListener("change", () => choose(select.value));
}
