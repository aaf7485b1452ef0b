/**
 * Asks for attention. All maps of two short texts come at once; of longer ones those of the kind that is looked at, and of
 * very long ones the one map that is looked at. The others are asked for when somebody wants to see them.
 */

import { Attention, KINDS, Shape } from "./attention.js";

/** Of weights in one answer, about. The service refuses to answer with more than 4 MiB. */
const MOST_BYTES = 2 ** 20;
/** The same while a translation is under way, when there is an answer for every few words. */
const MOST_BYTES_UNDER_WAY = 2 ** 18;
const BYTES_PER_WEIGHT = 4;
const CHARACTERS_PER_TOKEN = 2;
const MOST_TRIES = 3;
/** So much of a text will do to see what maps a model has. It is of the text itself: a model may not know other letters. */
const BEGINNING_CHARACTERS = 24;

export class AttentionLoader {
  /** @param {import("./api.js").Api} api */
  constructor(api) {
    this.api = api;
    this.shapes = new Map();
  }

  /**
   * The attention of an AttendRequest without kinds.
   * @param {{kind: string, layer: number, head: number}} choice  the map to get in any case
   */
  async load(request, choice, signal) {
    const offers = (shape) => [{ kinds: shape.kinds }, ...offersFor(choice, shape)];
    return this.#askOfNewest(request, offers, MOST_BYTES, signal);
  }

  /** The attention of a translation under way. */
  async loadPart(request, choice, signal) {
    return this.#askOfNewest(request, (shape) => offersFor(choice, shape), MOST_BYTES_UNDER_WAY, signal);
  }

  /** Add a map that an attention lacks, and others of its kind if there is room; false if by now another model answers. */
  async add(attention, request, choice, signal) {
    const more = await this.#ask(request, attention.shape, offersFor(choice, attention.shape), MOST_BYTES, signal);
    if (more.version === attention.version) attention.add(more);
    return more.version === attention.version;
  }

  /** A model can be replaced while the page is open, by one with other maps. */
  async #askOfNewest(request, offers, most, signal) {
    const ask = async () => {
      const shape = await this.#shape(request, signal);
      const attention = await this.#ask(request, shape, offers(shape), most, signal);
      return attention.version === shape.version ? attention : null;
    };
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const attention = await ask();
      if (attention) return attention;
      this.shapes.delete(JSON.stringify(request.modelSelection));
    }
    throw new Error("the model is being replaced again and again");
  }

  async #ask(request, shape, offers, most, signal) {
    const fitting = offers.find((offer) => bytes(request, shape, offer) <= most) ?? offers.at(-1);
    return new Attention(await this.api.attend({ ...request, ...fitting }, signal), shape);
  }

  async #shape({ modelSelection, source, target = "" }, signal) {
    const name = JSON.stringify(modelSelection);
    if (!this.shapes.has(name)) {
      const response = await this.api.attend({ modelSelection, source: beginning(source), target: beginning(target) }, signal);
      this.shapes.set(name, new Shape(response));
    }
    return this.shapes.get(name);
  }
}

function beginning(text) {
  return Array.from(text).slice(0, BEGINNING_CHARACTERS).join("");
}

/** From more to less: all maps of a kind; the one map, with the means that come with it. */
function offersFor({ kind, layer, head }, shape) {
  const kinds = [shape.kinds.includes(kind) ? kind : shape.kinds[0]].filter(Boolean);
  return [{ kinds }, { kinds, layer: Math.max(0, layer), head: Math.max(0, head) }];
}

function bytes({ source, target }, shape, { kinds, layer }) {
  const columns = source.length / CHARACTERS_PER_TOKEN + 2;
  const rows = target ? target.length / CHARACTERS_PER_TOKEN + 2 : 2 * columns;
  const numbers = kinds.map((kind) => {
    const { layers, heads } = shape.size(kind);
    const cells = [rows * columns, columns * columns, rows * rows][KINDS.indexOf(kind)];
    return cells * (layer === undefined ? layers * (heads + 1) + 1 : 3);
  });
  return BYTES_PER_WEIGHT * numbers.reduce((sum, number) => sum + number, 0);
}
