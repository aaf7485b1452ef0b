/** All views of one attention: words with threads or arcs, the heat map, the choice of maps, and what to keep of it. */

import { CROSS, ENCODER, KIND_WORDS as KEYS, MEAN } from "./attention.js";
import { Arcs } from "./arcs.js";
import { element } from "./element.js";
import { ExportBar } from "./export_bar.js";
import { figure } from "./figure.js";
import { HeatMap } from "./heat_map.js";
import { Links } from "./links.js";
import { MapChooser } from "./map_chooser.js";
import { Readout } from "./readout.js";
import { Spotlight } from "./spotlight.js";

export class Explorer {
  /**
   * @param {import("./words.js").Words} words
   * @param {import("./theme.js").Theme} theme
   * @param {function({kind: string, layer: number, head: number}): Promise} loadMap  adds a map that the attention lacks
   */
  constructor(words, theme, loadMap) {
    this.words = words;
    this.theme = theme;
    this.loadMap = loadMap;
    this.spotlight = new Spotlight();
    this.links = new Links(words, theme, this.spotlight);
    this.arcs = new Arcs(words, theme, this.spotlight);
    this.heatMap = new HeatMap(words, theme, this.spotlight);
    this.chooser = new MapChooser(words, theme, "explorer");
    this.readout = new Readout(words, this.spotlight);
    this.exports = new ExportBar(words, () => this.#shown());
    this.chooser.addEventListener("change", () => this.#choose());
    this.explanation = element("p", { class: "kind-says" });
    this.empty = words.write(element("p", { class: "no-attention", hidden: true }), "attention.none");
    this.root = element("div", { class: "explorer", hidden: true }, this.empty, ...this.#parts());
    this.root.addEventListener("keydown", (event) => event.key === "Escape" && this.spotlight.clear());
  }

  #parts() {
    const legend = element("div", { class: "legend" }, this.words.write(element("span"), "legend.name"));
    for (const [percent, place] of [[0, 0], [6, 1], [25, 2], [56, 3], [100, 4]]) {
      legend.append(element("span", { class: `legend-mark at-${place}` }, `${percent}`));
    }
    legend.append(element("span", { class: "legend-bar", "aria-hidden": "true" }));
    const chooser = element("div", { class: "choice" }, this.words.write(element("h3"), "heads.title"), this.chooser.mapsRoot);
    this.words.label(legend, "legend.label").setAttribute("role", "img");
    const map = element("div", { class: "map-side" }, this.heatMap.root, element("div", { class: "map-foot" }, legend, this.exports.root));
    this.parts = [
      this.chooser.kindsRoot,
      this.explanation,
      this.links.root,
      this.arcs.root,
      this.readout.root,
      element("div", { class: "map-and-choice" }, chooser, map),
    ];
    return this.parts;
  }

  /**
   * Show an attention.
   * @param {import("./attention.js").Attention} attention
   * @param {{isComplete: boolean, isGrowing: boolean}} options  not complete: the last row, the end of a sentence that goes
   *   on, is left out
   */
  show(attention, { isComplete, isGrowing }) {
    if (this.attention && !attention.continues(this.attention)) this.spotlight.clear();
    this.attention = attention;
    this.isComplete = isComplete;
    this.root.hidden = false;
    const hasAny = attention.shape.kinds.length > 0;
    this.empty.hidden = hasAny;
    for (const part of this.parts) part.hidden = !hasAny;
    if (!hasAny) return;
    this.chooser.show(attention);
    this.#draw(isGrowing);
  }

  /** Show nothing. */
  clear() {
    this.attention = null;
    this.spotlight.clear();
    this.heatMap.clear();
    this.links.clear();
    this.root.hidden = true;
  }

  async #choose() {
    this.spotlight.clear();
    if (!this.chooser.weights) {
      this.root.setAttribute("aria-busy", "true");
      await this.loadMap(this.chooser.choice);
      this.root.removeAttribute("aria-busy");
      if (!this.attention) return;
      this.chooser.show(this.attention);
    }
    this.#draw(false);
  }

  #draw(isGrowing) {
    const { kind, weights } = this.chooser;
    if (!weights) return;
    const rowTokens = this.attention.rowTokens(kind);
    const columnTokens = this.attention.columnTokens(kind);
    const numRows = this.isComplete || kind === ENCODER ? rowTokens.length : rowTokens.length - 1;
    this.words.write(this.explanation, `${KEYS[kind]}.says`);
    this.links.root.hidden = kind !== CROSS;
    this.arcs.root.hidden = kind === CROSS;
    this.heatMap.show(weights, { rowTokens, columnTokens, numRows, isGrowing });
    if (kind === CROSS) this.links.show(this.attention, weights, numRows);
    else this.arcs.show(this.attention, kind, weights, numRows);
    this.readout.show(weights, rowTokens, columnTokens);
  }

  /** What there is to keep: a figure, numbers and a file's name without its ending. */
  #shown() {
    const { kind, layer, head, weights } = this.chooser;
    const rowTokens = this.attention.rowTokens(kind);
    const columnTokens = this.attention.columnTokens(kind);
    const which = layer === MEAN ? this.words.get("heads.meanOfAll") : this.words.get(
      head === MEAN ? "heads.meanOfLayer" : "heads.head", { layer: layer + 1, head: head + 1 },
    );
    const style = getComputedStyle(document.body);
    const title = `${this.attention.model} · ${this.words.get(KEYS[kind])} · ${which}`;
    const colours = { scale: this.theme.scale, ground: style.backgroundColor, ink: style.color };
    const { model, response, source, target } = this.attention;
    const rows = Array.from({ length: weights.rows }, (_, row) => weights.row(row));
    const numbers = { model, modelVersion: response.modelVersion, kind, layer, head, source, target };
    return {
      figure: figure({ weights, rowTokens, columnTokens, title, ...colours }),
      numbers: { ...numbers, rows: rowTokens.map(written), columns: columnTokens.map(written), weights: rows },
      name: `attention-${KEYS[kind].split(".")[1]}-${which.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, "-")}`,
    };
  }
}

function written({ text, begin, end }) {
  return { text, begin, end };
}
