/** Light and dark, English and Korean, wide and narrow, and for everybody. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { PHONE, URL_OF_PAGE, isAccessible, isComplete, translate, visit } from "./visit.mjs";

const ground = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

test("the page speaks the browser's language, and the one that is chosen", () => visit({ locale: "ko-KR" }, async (page) => {
  assert.equal(await page.getAttribute("html", "lang"), "ko");
  assert.equal(await page.textContent("#title-translate"), "어텐션 들여다보기");
  await translate(page, "Open the window, please.");
  const before = await page.textContent("#target");
  await page.selectOption("#language", "en");
  await page.waitForSelector("html[lang=en]");
  assert.equal(await page.textContent("#title-translate"), "Seeing attention");
  assert.equal(await page.textContent(".kind"), "Translation → source");
  assert.equal(await page.textContent("#target"), before, "nothing is lost by it");
  await page.reload();
  await page.waitForSelector("html[lang=en][data-ready]");
}));

test("the page is as dark as the system, or as was chosen", () => visit({ colorScheme: "dark" }, async (page) => {
  const dark = await ground(page);
  await page.selectOption("#theme", "light");
  const light = await ground(page);
  assert.notEqual(dark, light);
  await page.reload();
  await page.waitForSelector("html[data-ready]");
  assert.equal(await ground(page), light);
  await page.selectOption("#theme", "system");
  assert.equal(await ground(page), dark);
}));

for (const colorScheme of ["light", "dark"]) {
  for (const locale of ["en-US", "ko-KR"]) {
    test(`accessible: ${colorScheme}, ${locale}`, () => visit({ colorScheme, locale }, async (page) => {
      await isAccessible(page, "empty");
      await page.selectOption("#nbest", "2");
      await translate(page, "The children are playing in the garden.");
      await page.hover(".map-name >> nth=1");
      await isAccessible(page, "a row is lit");
      await page.click(".map-head >> nth=1");
      await isAccessible(page, "a column is pinned");
      for (const kind of ["ENCODER", "DECODER"]) {
        await page.check(`input[value="ATTENTION_KIND_${kind}_SELF"]`);
        await page.hover(".arcs .token:nth-child(3)");
        await isAccessible(page, kind);
      }
      await page.click("nav a[href='#compare']");
      await page.click("#compare-examples button");
      await page.waitForSelector("#comparison:not([hidden])");
      await isAccessible(page, "comparison");
      await page.click("nav a[href='#service']");
      await page.click("details summary");
      await isAccessible(page, "service");
    }));
  }
}

test("nothing is wider than a phone", () => visit({ viewport: PHONE, hasTouch: true }, async (page) => {
  const isNarrow = async (where) => {
    const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(content <= screen, `${where}: ${content} on ${screen}`);
  };
  await page.selectOption("#nbest", "4");
  await translate(page, "The children are playing in the garden and my mother reads a book every evening.");
  await isNarrow("translate");
  for (const kind of ["ENCODER", "DECODER"]) {
    await page.check(`input[value="ATTENTION_KIND_${kind}_SELF"]`, { force: true });
    await isNarrow(kind);
  }
  await page.tap(".arcs .token:nth-child(2)");
  assert.match(await page.textContent(".readout"), /%/);
  await page.tap("nav a[href='#compare']");
  await page.tap("#compare-examples button");
  await page.waitForSelector("#comparison:not([hidden])");
  await isNarrow("compare");
  await page.tap("nav a[href='#service']");
  await isNarrow("service");
}));

test("who wants less motion gets none", () => visit({ reducedMotion: "reduce" }, async (page) => {
  await page.evaluate(() => {
    window.counts = new Set();
    new MutationObserver(() => window.counts.add(document.querySelectorAll(".map-row").length)).observe(document.querySelector(".map-body"), { childList: true });
  });
  await page.selectOption("#nbest", "2");
  await translate(page, "Open the window, please.");
  await page.evaluate(() => window.counts.clear());
  await page.click(".nbest-line:nth-of-type(2)");
  await isComplete(page);
  const counts = await page.evaluate(() => Array.from(window.counts).filter((count) => count > 0));
  assert.equal(counts.length, 1, `all rows at once: ${counts}`);
}));

test("the browser is told to take nothing from elsewhere", async () => {
  const policy = (await fetch(URL_OF_PAGE)).headers.get("content-security-policy");
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe|https?:|\*/);
});
