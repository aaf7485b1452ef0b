/** Only what the model read together is explained: a sentence and its own translation, of the hypothesis that is chosen. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, isAccessible, isComplete, PHONE, texts, translate, visit } from "./visit.mjs";

const SELECTION = { model: "en-ko-software", sourceLanguageCode: "en", targetLanguageCode: "ko" };
const SENTENCES = ["Open the file.", "The 🙂 children are playing in the garden.", "Do you want to save the changes?"];
const TEXT = SENTENCES.join(" ");

/** Every pair that the page asks the attention of; where it does not say which, it asks what maps there are. */
function pairsAsked(page) {
  const pairs = [];
  page.on("request", (request) => {
    if (!request.url().endsWith("/v1/attend")) return;
    const { source, target, kinds } = request.postDataJSON();
    if (kinds) pairs.push({ source, target });
  });
  return pairs;
}

/** The translation of a text and where its sentences are, from the API. */
async function answer(text, decoding = { beamSize: 4 }) {
  const response = await ask("translate", { modelSelection: SELECTION, texts: [text], decoding, returnOptions: { sentences: true } });
  const cut = (whole, begin, end) => Array.from(whole).slice(begin, end).join("");
  return response.results[0].hypotheses.map((hypothesis) => hypothesis.sentences.map((span) => ({
    source: cut(text, span.sourceBegin, span.sourceEnd),
    target: cut(hypothesis.text, span.targetBegin, span.targetEnd),
  })));
}

/** What the map's rows say, put together: the translation that is explained. */
async function explained(page) {
  const [source, target] = await page.$$eval(".links .token-line", (lines) => lines.map((line) => {
    return Array.from(line.children, (token) => (token.matches(".is-special") ? "" : token.textContent)).join("");
  }));
  return { source, target };
}

/** Without white space, and without what the page writes in the place of a token that is nothing else. */
const plain = (text) => text.replaceAll(/[\s␣]/g, "");

async function isExplained(page, { source, target }) {
  await isComplete(page);
  const found = await explained(page);
  assert.equal(plain(found.target), plain(target));
  assert.equal(plain(found.source), plain(source));
}

/** Hold back the answers to requests for attention of these targets until each is let go. */
async function hold(page, isHeld) {
  const held = [];
  await page.route("**/v1/attend", async (route) => {
    if (isHeld(route.request().postDataJSON())) await new Promise((resolve) => held.push(resolve));
    await route.continue().catch(() => {}); // the page may have given it up
  });
  return () => held.splice(0).forEach((release) => release());
}

test("a text of several sentences is explained sentence by sentence", () => visit({}, async (page) => {
  const asked = pairsAsked(page);
  const [pairs] = await answer(TEXT);
  assert.deepEqual(pairs.map((pair) => pair.source), SENTENCES);
  await translate(page, TEXT);
  const known = ({ source, target }) => pairs.some((pair) => pair.source === source && pair.target.startsWith(target));
  assert.ok(asked.length > 0 && asked.every(known), JSON.stringify(asked.find((pair) => !known(pair))));
  assert.equal(await page.isVisible("#notice"), false);
  const shown = await texts(page, ".sentence-text");
  assert.deepEqual(shown, pairs.flatMap(({ source, target }) => [source, target]));
  await isExplained(page, pairs.at(-1)); // what grew last
  await page.click(".sentence:nth-of-type(2)");
  await isExplained(page, pairs[1]);
  await page.press(".sentence:nth-of-type(2) input", "ArrowUp");
  await isExplained(page, pairs[0]);
  await isAccessible(page, "sentences");
  await translate(page, SENTENCES[1]);
  assert.equal(await page.isVisible(".sentences"), false);
}));

test("a text of more tokens than the model reads at once is explained in the parts that it read", () => visit({ viewport: PHONE }, async (page) => {
  const text = Array.from({ length: 40 }, () => "the children are playing in the garden and the dog sleeps").join(" ");
  const [pairs] = await answer(text);
  assert.ok(pairs.length > 1, "longer than the model reads");
  await translate(page, text);
  assert.equal(await page.isVisible("#notice"), false);
  assert.equal((await page.$$(".sentence")).length, pairs.length);
  await page.click(".sentence:nth-of-type(1)");
  await isExplained(page, pairs[0]);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
}));

/** Let the page read a stream's lines only when `next` is called, one after another. */
async function slowly(page) {
  await page.evaluate(() => {
    const ask = window.fetch;
    window.lines = [];
    window.fetch = async (url, options) => {
      const response = await ask(url, options);
      if (!String(url).endsWith("translate:stream")) return response;
      const rest = new TransformStream({
        async transform(chunk, controller) {
          for (const line of chunk.split(/(?<=\n)/)) {
            await new Promise((resolve) => window.lines.push(resolve));
            controller.enqueue(line);
          }
        },
      });
      const text = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(rest);
      return new Response(text.pipeThrough(new TextEncoderStream()), response);
    };
  });
  return async function next() {
    await page.waitForFunction(() => window.lines.length);
    await page.evaluate(() => window.lines.shift()());
  };
}

/** Let lines come until so many sentences have begun. */
async function begin(page, next, number) {
  while ((await page.$$(".sentence")).length < number) await next();
}

for (const [name, number] of [["that is complete", 1], ["that is being written", 2]]) {
  test(`a sentence ${name}, chosen while there is more to come, stays`, () => visit({}, async (page) => {
    const [pairs] = await answer(TEXT);
    const next = await slowly(page);
    await page.fill("#source", TEXT);
    await page.press("#source", "Enter");
    await begin(page, next, 2);
    await page.click(`.sentence:nth-of-type(${number})`);
    await begin(page, next, 3);
    while ((await page.getAttribute("#target", "aria-busy")) === "true") {
      if (await page.evaluate(() => window.lines.length)) await next();
    }
    await isExplained(page, pairs[number - 1]);
    assert.equal(await page.isChecked(`.sentence:nth-of-type(${number}) input`), true);
  }));
}

test("of two hypotheses chosen in a row the second is explained", () => visit({}, async (page) => {
  const choices = await answer(SENTENCES[1], { beamSize: 4, numHypotheses: 4 });
  await page.selectOption("#nbest", "4");
  await translate(page, SENTENCES[1]);
  const release = await hold(page, ({ target }) => target === choices[3][0].target);
  for (const number of [4, 2]) await page.click(`.nbest-line:nth-of-type(${number})`);
  await isExplained(page, choices[1][0]);
  release();
  await page.waitForTimeout(300); // for an answer that nobody waits for any more
  assert.equal(await page.textContent("#target"), choices[1][0].target);
  await isExplained(page, choices[1][0]);
}));

test("a hypothesis chosen while the first is explained stays", () => visit({}, async (page) => {
  const choices = await answer(SENTENCES[1], { beamSize: 4, numHypotheses: 4 });
  await page.selectOption("#nbest", "4");
  const release = await hold(page, ({ target }) => target === choices[0][0].target);
  await page.fill("#source", SENTENCES[1]);
  await page.press("#source", "Enter");
  await page.click(".nbest-line:nth-of-type(4)");
  await isExplained(page, choices[3][0]);
  release();
  await page.waitForTimeout(300);
  assert.equal(await page.textContent("#target"), choices[3][0].target);
  await isExplained(page, choices[3][0]);
}));

test("a model that is replaced shows the maps that it has now", () => visit({}, async (page) => {
  await translate(page, SENTENCES[0]);
  const before = (await page.$$(".heads input")).length;
  await page.route("**/v1/attend", async (route) => {
    const fresh = await (await route.fetch()).json();
    const one = ({ layer }) => layer < 1;
    await route.fulfill({ json: { ...fresh, modelVersion: "next", maps: fresh.maps.filter(one), averages: fresh.averages.filter(one) } });
  });
  await translate(page, SENTENCES[1]);
  const after = (await page.$$(".heads input")).length;
  assert.ok(after > 1 && after < before, `${before} ${after}`);
}));

test("HTML in a source or its translation is text", () => visit({}, async (page) => {
  const html = "<img src=x onerror=\"window.hacked = true\"> Open <object>the file</object>. <script>window.hacked = true</script> Save it.";
  await page.selectOption("#nbest", "2");
  await translate(page, html);
  const target = await page.textContent("#target");
  assert.match(target, /<img src=x onerror="window.hacked = true">/);
  await page.check('input[value="ATTENTION_KIND_ENCODER_SELF"]');
  await isComplete(page);
  await page.hover(".map-name >> nth=0");
  const inside = await page.$$eval(["#target", "#hypotheses", "#attention"].map((root) => `${root} :is(img, script, object)`).join(), (found) => found.length);
  assert.equal(inside, 0);
  assert.equal(await page.evaluate(() => window.hacked), undefined);
}));
