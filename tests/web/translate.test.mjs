/** A person translates, and looks at what the model looked at. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, isComplete, texts, translate, visit } from "./visit.mjs";

const SENTENCE = "The children are playing in the garden.";
const MODEL = { model: "en-ko-software" };

/** The API's own weights of a kind, layer and head. */
async function weightsOf(target, kind, layer, head) {
  const answer = await ask("attend", { modelSelection: MODEL, source: SENTENCE, target, kinds: [kind] });
  const all = [...answer.maps, ...answer.averages];
  return { answer, map: all.find((map) => map.layer === layer && map.head === head) };
}

function share(text) {
  return Number.parseFloat(text) / 100;
}

test("a translation streams in, and the heat map grows with it", () => visit({}, async (page) => {
  const running = new Set();
  let mostRunning = 0;
  page.on("request", (request) => {
    if (request.url().endsWith("/v1/attend")) mostRunning = Math.max(mostRunning, running.add(request).size);
  });
  for (const event of ["requestfinished", "requestfailed"]) page.on(event, (request) => running.delete(request));
  await page.evaluate(() => {
    window.seen = { texts: [], rows: [] };
    const watch = (selector, note) => new MutationObserver(note).observe(document.querySelector(selector), { childList: true, characterData: true, subtree: true });
    watch("#target", () => window.seen.texts.push(document.querySelector("#target").textContent));
    watch(".map-body", () => window.seen.rows.push(document.querySelectorAll(".map-row").length));
  });
  await page.selectOption("#beam", "1");
  await translate(page, SENTENCE);
  const seen = await page.evaluate(() => window.seen);
  const final = await page.textContent("#target");
  assert.match(final, /\p{Script=Hangul}/u);
  const grown = seen.texts.slice(seen.texts.lastIndexOf("") + 1);
  assert.ok(new Set(grown).size > 2, `came in pieces: ${grown}`);
  assert.ok(grown.every((text) => final.startsWith(text)), "nothing was taken back");
  const { answer } = await weightsOf(final, "ATTENTION_KIND_CROSS", -1, -1);
  assert.equal((await page.$$(".map-row")).length, answer.targetTokens.length);
  assert.equal((await page.$$(".map-head")).length, answer.sourceTokens.length);
  assert.ok(new Set(seen.rows).size > 3, `rows came one after another: ${seen.rows}`);
  assert.equal(mostRunning, 1, "one request for attention at a time");
}));

test("a target word shows where it looks, a source word what looks at it", () => visit({}, async (page) => {
  await translate(page, SENTENCE);
  const { answer, map } = await weightsOf(await page.textContent("#target"), "ATTENTION_KIND_CROSS", -1, -1);
  const names = (tokens, text) => tokens.map((token) => Array.from(text).slice(token.begin, token.end).join("").trim());
  const sources = names(answer.sourceTokens, answer.source);
  const row = map.weights.slice(0, map.columns);
  const order = row.map((_, index) => index).sort((one, other) => row[other] - row[one]);
  await page.hover(".links .token-line:nth-of-type(2) .token:nth-child(1)");
  const [first] = await texts(page, ".readout .share");
  assert.ok(first.startsWith(sources[order[0]]), first);
  assert.ok(Math.abs(share(first.match(/[\d.]+%/)[0]) - row[order[0]]) < 0.001, first);
  assert.ok((await page.$$(".threads path")).length > 0);
  const shaded = await page.$$eval(".links .token-line:nth-of-type(1) .token", (tokens) => {
    return tokens.map((token) => token.style.getPropertyValue("--shade"));
  });
  assert.equal(new Set(shaded).size > 1 && shaded.length, sources.length);
  await page.hover(".links .token-line:nth-of-type(1) .token:nth-child(2)");
  assert.match(await page.textContent(".readout"), /^children is looked at by /);
  assert.ok(await page.$(".links .token-line:nth-of-type(2) .token.is-shaded"));
  await page.mouse.move(0, 0);
  assert.match(await page.textContent(".readout"), /Point at a word/);
}));

test("another layer or head has other numbers, those of the API", () => visit({}, async (page) => {
  await translate(page, SENTENCE);
  const target = await page.textContent("#target");
  const cells = [];
  for (const [layer, head] of [[-1, -1], [0, 0], [1, 3], [1, -1]]) {
    await page.check(`.heads input[value="${layer} ${head}"]`);
    await page.hover(".map-canvas", { position: { x: 45, y: 5 }, force: true });
    const said = await page.textContent(".readout .number");
    const { map } = await weightsOf(target, "ATTENTION_KIND_CROSS", layer, head);
    assert.ok(Math.abs(share(said) - map.weights[1]) < 0.001, `${layer} ${head}: ${said} ${map.weights[1]}`);
    cells.push(said);
  }
  assert.ok(new Set(cells).size > 1, `${cells}`);
}));

test("within one side, arcs join the words that look at each other", () => visit({}, async (page) => {
  await translate(page, SENTENCE);
  await page.check('input[value="ATTENTION_KIND_ENCODER_SELF"]');
  assert.equal(await page.isVisible(".links"), false);
  await page.hover(".arcs .token:nth-child(4)");
  assert.match(await page.textContent(".readout"), /^playing looks at /);
  assert.ok((await page.$$(".arcs .looks")).length > 0);
  assert.ok((await page.$$(".arcs .looked-at")).length > 0);
  await page.check('input[value="ATTENTION_KIND_DECODER_SELF"]');
  const tokens = await texts(page, ".arcs .token");
  assert.equal(tokens.length, 1 + (await page.$$(".map-row")).length);
  await page.hover(".map-canvas", { position: { x: 100, y: 5 }, force: true });
  assert.equal(await page.textContent(".readout .number"), "0%", "what comes later is masked");
}));

test("the best translations come with their scores, and each can be looked at", () => visit({}, async (page) => {
  await page.selectOption("#nbest", "4");
  await translate(page, SENTENCE);
  const scores = (await texts(page, ".nbest-score")).map(Number);
  assert.equal(scores.length, 4);
  assert.deepEqual(scores, scores.toSorted((one, other) => other - one));
  const [, second] = await texts(page, ".nbest-text");
  const answered = page.waitForResponse((response) => response.url().endsWith("/v1/attend"));
  await page.click(".nbest-line:nth-of-type(2)");
  const answer = await (await answered).json();
  await isComplete(page);
  assert.equal(await page.textContent("#target"), second);
  assert.equal((await page.$$(".map-row")).length, answer.targetTokens.length);
}));

test("another model answers at once, an RNN with the one map that it has", () => visit({}, async (page) => {
  await translate(page, "The cat.");
  await page.selectOption("#translate-picker .model", "rnn-bahdanau");
  await page.waitForSelector('input[value="ATTENTION_KIND_ENCODER_SELF"]:disabled');
  await isComplete(page);
  assert.equal((await page.$$(".heads input")).length, 1);
  await page.hover(".map-name >> nth=0");
  assert.match(await page.textContent(".readout"), /looks at/);
  await page.selectOption("#translate-picker .direction", { label: "Korean → English" });
  assert.equal(await page.textContent("#source-language"), "Korean");
  assert.equal(await page.isVisible("#attention"), false);
  await page.click("#examples button");
  await isComplete(page);
  assert.match(await page.textContent("#target"), /[a-z]/);
}));

test("a long text is drawn with few elements, kind by kind", () => visit({}, async (page) => {
  await translate(page, Array(24).fill("the children are playing in the garden and").join(" "));
  const rows = (await page.$$(".map-row")).length;
  const columns = (await page.$$(".map-head")).length;
  assert.ok(rows > 100 && columns > 150, `${rows} ${columns}`);
  assert.ok((await page.$$(".explorer *")).length < 6 * (rows + columns));
  await page.check('input[value="ATTENTION_KIND_ENCODER_SELF"]');
  await page.waitForFunction((number) => document.querySelectorAll(".map-row").length === number, columns);
  await page.check('.heads input[value="3 2"]');
  await page.hover(".map-name >> nth=5");
  assert.match(await page.textContent(".readout"), /%/);
}));
