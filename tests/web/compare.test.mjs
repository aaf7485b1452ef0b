/** A person compares one word in two sentences. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, texts, visit } from "./visit.mjs";

const FIRST = "The bank is closed today.";
const SECOND = "The river bank is green.";

/** What the page should say, from the API's encodings: the word is one token of both sentences. */
async function cosineOfBank() {
  const sides = await Promise.all([FIRST, SECOND].map((source) => {
    return ask("attend", { modelSelection: { model: "en-ko-software" }, source, returnEncodings: true });
  }));
  const [one, other] = sides.map((side) => {
    return side.encodings[side.sourceTokens.findIndex((token) => token.piece === "▁bank")].values;
  });
  const product = (left, right) => left.reduce((sum, value, index) => sum + value * right[index], 0);
  return product(one, other) / Math.sqrt(product(one, one) * product(other, other));
}

test("a word is compared with itself by the model's own encodings", () => visit({ view: "compare" }, async (page) => {
  await page.click("#compare-examples >> text=bank");
  await page.waitForSelector("#comparison:not([hidden])");
  assert.equal(await page.inputValue("#first-text"), FIRST);
  assert.equal(await page.textContent(".is-word .bar-name"), "bank");
  assert.equal(await page.textContent(".is-word .number"), (await cosineOfBank()).toFixed(2));
  assert.ok((await texts(page, ".nearness .bar-name")).includes("The"));
  assert.equal((await page.$$(".compared")).length, 2);
  const [here, there] = await texts(page, ".compared .token.is-lit");
  assert.deepEqual([here, there], ["bank", "bank"]);
  assert.match((await texts(page, ".compared:nth-of-type(2) .bars"))[0], /ver|river/);
}));

test("own sentences are searched for a word in common", () => visit({ view: "compare" }, async (page) => {
  await page.selectOption("#compare-picker .direction", { label: "Korean → English" });
  await page.fill("#first-text", "학생은 책을 읽습니다.");
  await page.fill("#second-text", "나는 학생입니다.");
  assert.deepEqual(await texts(page, "#word option"), ["학생"]);
  await page.click("#compare-form button[type=submit]");
  await page.waitForSelector("#comparison:not([hidden])");
  assert.match(await page.textContent(".nearness h2"), /학생/);
  await page.fill("#second-text", "고양이가 있습니다.");
  await page.click("#compare-form button[type=submit]");
  await page.waitForSelector("#comparison", { state: "hidden" });
  assert.match(await page.textContent("#compare-status"), /no word in common/);
}));

test("two models are compared by what they look at", () => visit({ view: "compare" }, async (page) => {
  await page.click("#compare-examples >> text=bank");
  await page.selectOption("#second-model", "rnn-bahdanau");
  await page.click("#compare-form button[type=submit]");
  await page.waitForSelector("text=Encodings of two models cannot be compared");
  const [, second] = await texts(page, ".compared .side-name");
  assert.match(second, /rnn-bahdanau/);
  assert.ok(await page.$(".compared:nth-of-type(2) .token.is-shaded"));
}));
