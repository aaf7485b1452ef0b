/** Says what went wrong: in the reader's words what kind of thing, then in the service's own words what exactly. */

import { element } from "./element.js";
import { ApiError } from "./api.js";

const UNAUTHENTICATED = 16;
/** gRPC status codes that the dictionaries have words for. */
const KNOWN = new Set([3, 4, 5, 7, 8, 9, 12, 13, 14, 16]);

export class Notice {
  constructor(words, root) {
    this.words = words;
    this.root = root;
  }

  /** Tell of an error; one that the visitor asked for by stopping is none. */
  show(error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof ApiError)) console.error(error);
    const code = KNOWN.has(error.code) ? error.code : 0;
    const kind = this.words.write(element("strong"), `error.${code}`);
    const parts = [kind, element("p", {}, error.message)];
    if (error.violations?.length) {
      parts.push(element("ul", {}, ...error.violations.map(({ field = "", description = "" }) => {
        return element("li", {}, element("code", {}, field), ` ${description}`);
      })));
    }
    if (error.retrySeconds) {
      parts.push(this.words.write(element("p"), "error.retry", { seconds: Math.ceil(error.retrySeconds) }));
    }
    if (code === UNAUTHENTICATED) {
      parts.push(this.words.write(element("a", { href: "#service" }), "error.token"));
    }
    this.root.replaceChildren(...parts);
    this.root.hidden = false;
  }

  /** Nothing is wrong any more. */
  clear() {
    this.root.hidden = true;
    this.root.replaceChildren();
  }
}
