/** What goes wrong is said in words, with the field. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { isComplete, texts, visit } from "./visit.mjs";

test("a text that is too long is refused by name", () => visit({ errors: [/status of 400/] }, async (page) => {
  await page.fill("#source", "word ".repeat(5000));
  await page.press("#source", "Enter");
  await page.waitForSelector("#notice:not([hidden])");
  assert.match(await page.textContent("#notice"), /The request is not right/);
  assert.deepEqual(await texts(page, "#notice code"), ["text"]);
  await page.fill("#source", "Open the file.");
  await page.press("#source", "Enter");
  await isComplete(page);
  assert.equal(await page.isVisible("#notice"), false);
}));

test("a service that cannot be reached is told of", () => visit({ errors: [/ERR_FAILED/] }, async (page) => {
  await page.route("**/v1/translate:stream", (route) => route.abort());
  await page.press("#source", "Enter");
  await page.waitForSelector("text=The service cannot be reached.");
}));

test("what is under way can be stopped", () => visit({}, async (page) => {
  await page.route("**/v1/translate:stream", () => {}); // an answer that never comes
  await page.press("#source", "Enter");
  await page.click("#stop");
  await page.waitForSelector("#stop", { state: "hidden" });
  assert.equal(await page.isVisible("#notice"), false);
}));

test("a service that asks who calls gets the token of this tab", () => {
  const seen = [];
  const refusal = { code: 16, message: "give a token", details: [] };
  const prepare = (page) => page.route("**/v1/models?*", (route) => {
    const token = route.request().headers().authorization;
    seen.push(token);
    return token ? route.continue() : route.fulfill({ status: 401, json: refusal });
  });
  return visit({ prepare, errors: [/status of 401/] }, async (page) => {
    await page.click("#notice >> text=Enter an API token");
    await page.fill("#token", "secret");
    await page.press("#token", "Enter");
    await page.waitForSelector("text=The service answers.");
    assert.equal(await page.isVisible("#notice"), false);
    assert.deepEqual(seen, [undefined, "Bearer secret"]);
    assert.ok((await page.$$("#models tr")).length > 0);
    assert.equal(await page.evaluate(() => JSON.stringify(localStorage).includes("secret")), false);
  });
});

test("what runs here is told as before", () => visit({ view: "service" }, async (page) => {
  assert.match(await page.textContent("#grpc"), /127\.0\.0\.1:\d+/);
  const names = await texts(page, "#models th");
  assert.ok(names.includes("en-ko-software") && names.includes("rnn-bahdanau"), `${names}`);
  for (const link of await page.$$eval(".addresses a", (links) => links.map((link) => link.href))) {
    assert.equal((await fetch(link)).status, 200, link);
  }
}));
