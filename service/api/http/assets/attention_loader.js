/**
 * Asks for attention in as many pieces as it takes: the answer for two long texts does not fit into one message, and is
 * then asked for kind by kind, when it is looked at, and layer by layer.
 */

import { Attention, KINDS } from "./attention.js";

export class AttentionLoader {
  /** @param {import("./api.js").Api} api */
  constructor(api) {
    this.api = api;
  }

  /**
   * The attention of an AttendRequest without kinds.
   * @param {string} first  the kind to get in any case; the others come with it if there is room
   */
  async load(request, first, signal) {
    try {
      return new Attention(await this.api.attend({ ...request, kinds: KINDS }, signal));
    } catch (error) {
      if (!isTooLarge(error)) throw error;
    }
    const missing = KINDS.filter((kind) => kind !== first);
    return new Attention(await this.loadKind(request, first, signal), missing);
  }

  /** An AttendResponse with the maps of one kind. */
  async loadKind(request, kind, signal) {
    try {
      return await this.api.attend({ ...request, kinds: [kind] }, signal);
    } catch (error) {
      if (!isTooLarge(error)) throw error;
    }
    const response = await this.api.attend({ ...request, kinds: [kind], layer: 0 }, signal);
    const numLayers = 1 + Math.max(...response.averages.map((map) => map.layer ?? 0));
    for (let layer = 1; layer < numLayers; layer += 1) {
      const more = await this.api.attend({ ...request, kinds: [kind], layer }, signal);
      response.maps.push(...more.maps);
    }
    return response;
  }
}

function isTooLarge(error) {
  return error.violations?.some((violation) => violation.field === "kinds") ?? false;
}
