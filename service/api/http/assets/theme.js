/** Light or dark: as the system has it, or as the visitor chose. */

import { Scale } from "./scale.js";

const STORED = "seq2serve.theme";
export const THEMES = ["system", "light", "dark"];

export class Theme extends EventTarget {
  constructor() {
    super();
    this.system = matchMedia("(prefers-color-scheme: dark)");
    this.system.addEventListener("change", () => this.#apply());
    const stored = localStorage.getItem(STORED);
    this.choice = THEMES.includes(stored) ? stored : "system";
    this.#apply();
  }

  /** Change it, and remember that. */
  choose(choice) {
    this.choice = choice;
    localStorage.setItem(STORED, choice);
    this.#apply();
  }

  get isDark() {
    return this.choice === "dark" || (this.choice === "system" && this.system.matches);
  }

  #apply() {
    document.documentElement.dataset.theme = this.isDark ? "dark" : "light";
    this.scale = new Scale(this.isDark);
    this.scale.publish(document.documentElement);
    this.dispatchEvent(new Event("change"));
  }
}
