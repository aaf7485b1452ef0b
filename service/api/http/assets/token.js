/** The API token of services that ask who calls. Kept for this tab only, and sent nowhere but to this service. */

const STORED = "seq2serve.token";

export class Token {
  get value() {
    return sessionStorage.getItem(STORED) ?? "";
  }

  set value(text) {
    if (text) sessionStorage.setItem(STORED, text);
    else sessionStorage.removeItem(STORED);
  }
}
