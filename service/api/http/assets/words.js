/**
 * What the page says, in the reader's language: English or Korean.
 *
 * An element remembers which sentence it says (data-words: its text; data-words-label: its accessible name;
 * data-words-placeholder), so that a change of language needs nobody else.
 */

export const LANGUAGES = ["en", "ko"];
const STORED = "seq2serve.language";

export class Words extends EventTarget {
  /** The dictionary of the language chosen before, or of the browser's. */
  static async load() {
    const words = new Words();
    const browser = (navigator.languages ?? [navigator.language]).map((code) => code.slice(0, 2));
    const wanted = [localStorage.getItem(STORED), ...browser];
    await words.#use(wanted.find((code) => LANGUAGES.includes(code)) ?? "en");
    return words;
  }

  /** Change the language, and remember it. */
  async choose(language) {
    localStorage.setItem(STORED, language);
    await this.#use(language);
  }

  async #use(language) {
    const response = await fetch(new URL(`words.${language}.json`, import.meta.url));
    this.sentences = await response.json();
    this.language = language;
    this.languageNames = new Intl.DisplayNames([language], { type: "language" });
    this.percent = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });
    document.documentElement.lang = language;
    document.title = `${this.get("title")} · seq2serve`;
    this.fill(document);
    this.dispatchEvent(new Event("change"));
  }

  /** A sentence, with {names} replaced by values. */
  get(key, values = {}) {
    const sentence = this.sentences[key] ?? key;
    return sentence.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  }

  /** The name of a language, from its BCP-47 code. */
  languageName(code) {
    try {
      return this.languageNames.of(code);
    } catch {
      return code; // not a code that Intl takes, such as one with an underscore
    }
  }

  /** Let an element say a sentence; returns the element. */
  write(node, key, values = {}) {
    node.dataset.words = key;
    node.dataset.wordsValues = JSON.stringify(values);
    node.textContent = this.get(key, values);
    return node;
  }

  /** Let a sentence be an element's accessible name; returns the element. */
  label(node, key, values = {}) {
    node.dataset.wordsLabel = key;
    node.dataset.wordsValues = JSON.stringify(values);
    node.setAttribute("aria-label", this.get(key, values));
    return node;
  }

  /** Say everything below `root` in the current language. */
  fill(root) {
    for (const node of root.querySelectorAll("[data-words], [data-words-label], [data-words-placeholder]")) {
      const values = JSON.parse(node.dataset.wordsValues ?? "{}");
      const { words, wordsLabel, wordsPlaceholder } = node.dataset;
      if (words) node.textContent = this.get(words, values);
      if (wordsLabel) node.setAttribute("aria-label", this.get(wordsLabel, values));
      if (wordsPlaceholder) node.placeholder = this.get(wordsPlaceholder, values);
    }
  }
}
