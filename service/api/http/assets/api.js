/** The public API as this page speaks it: JSON over HTTP, as /openapi.json describes it. */

/** An answer that says what is wrong: a google.rpc.Status. */
export class ApiError extends Error {
  /**
   * @param {{code?: number, message?: string, details?: Object[]}} status
   */
  constructor(status) {
    super(status.message || "no message");
    /** The gRPC status code. */
    this.code = status.code ?? 2;
    const details = status.details ?? [];
    /** Fields at fault: {field, description}. */
    this.violations = details.flatMap((detail) => detail.fieldViolations ?? []);
    /** Seconds after which to try again, or null. */
    this.retrySeconds = seconds(details.find((detail) => detail.retryDelay)?.retryDelay);
  }
}

const UNREACHABLE = 14;
const INTERRUPTED = 14;

export class Api {
  /** @param {{value: string}} token  what proves who the visitor is; empty where nobody asks */
  constructor(token) {
    this.token = token;
  }

  /** All models that are served. */
  async models() {
    const models = [];
    let page = "";
    do {
      const answer = await this.#ask("GET", `v1/models?page_size=200&page_token=${encodeURIComponent(page)}`);
      models.push(...(answer.models ?? []));
      page = answer.nextPageToken ?? "";
    } while (page);
    return models;
  }

  /** @returns a TranslateResponse */
  translate(request, signal) {
    return this.#ask("POST", "v1/translate", request, signal);
  }

  /** @returns an AttendResponse */
  attend(request, signal) {
    return this.#ask("POST", "v1/attend", request, signal);
  }

  /** @returns a CaptionResponse */
  caption(request, signal) {
    return this.#ask("POST", "v1/caption", request, signal);
  }

  /** Every TranslateStreamResponse as it comes: {delta} any number of times, then {result}. */
  async *stream(request, signal) {
    const response = await this.#send("POST", "v1/translate:stream", request, signal);
    let isComplete = false;
    for await (const line of lines(response.body)) {
      const event = JSON.parse(line);
      if (event.error) throw new ApiError(event.error);
      isComplete = Boolean(event.result);
      yield event;
    }
    if (!isComplete) throw new ApiError({ code: INTERRUPTED, message: "the stream ended before the translation" });
  }

  async #ask(method, path, request, signal) {
    const response = await this.#send(method, path, request, signal);
    return response.json();
  }

  async #send(method, path, request, signal) {
    const headers = { Accept: "application/json" };
    if (request) headers["Content-Type"] = "application/json";
    if (this.token.value) headers.Authorization = `Bearer ${this.token.value}`;
    const body = request && JSON.stringify(request);
    let response;
    try {
      response = await fetch(new URL(`../${path}`, import.meta.url), { method, headers, body, signal, cache: "no-store" });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ApiError({ code: UNREACHABLE, message: String(error.message) });
    }
    if (!response.ok) throw await failure(response);
    return response;
  }
}

async function failure(response) {
  const text = await response.text();
  try {
    return new ApiError(JSON.parse(text));
  } catch {
    return new ApiError({ message: `HTTP ${response.status}: ${text.slice(0, 200)}` });
  }
}

async function* lines(stream) {
  let rest = "";
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    const parts = (rest + (value ?? "")).split("\n");
    rest = done ? "" : parts.pop();
    yield* parts.filter((part) => part.trim());
    if (done) return;
  }
}

function seconds(duration) {
  const found = /^([\d.]+)s$/.exec(duration ?? "");
  return found && Number(found[1]);
}
