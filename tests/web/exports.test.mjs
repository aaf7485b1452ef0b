/** A person keeps what is seen. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { translate, visit } from "./visit.mjs";

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

async function saved(page, format) {
  const coming = page.waitForEvent("download");
  await page.click(`[data-act="export.save.${format}"]`);
  const download = await coming;
  assert.ok(download.suggestedFilename().endsWith(`.${format}`), download.suggestedFilename());
  return readFile(await download.path());
}

test("a map is saved as PNG, SVG and JSON", () => visit({ acceptDownloads: true }, async (page) => {
  await translate(page, "Open the window, please.");
  const rows = (await page.$$(".map-row")).length;
  const columns = (await page.$$(".map-head")).length;

  const png = await saved(page, "png");
  assert.deepEqual(png.subarray(0, 8), SIGNATURE);
  assert.ok(png.readUInt32BE(16) > columns * 26 && png.readUInt32BE(20) > rows * 26, "width and height");

  const svg = (await saved(page, "svg")).toString();
  const counted = await page.evaluate((text) => {
    const root = new DOMParser().parseFromString(text, "image/svg+xml");
    return ["parsererror", "rect", "text"].map((name) => root.querySelectorAll(name).length);
  }, svg);
  assert.deepEqual(counted, [0, rows * columns + 1, rows + columns + 1]);

  const numbers = JSON.parse(await saved(page, "json"));
  assert.equal(numbers.source, "Open the window, please.");
  assert.deepEqual([numbers.rows.length, numbers.columns.length], [rows, columns]);
  for (const weights of numbers.weights) {
    assert.ok(Math.abs(weights.reduce((sum, weight) => sum + weight, 0) - 1) < 1e-4);
  }
}));

test("a map is copied", () => visit({ permissions: ["clipboard-read", "clipboard-write"] }, async (page) => {
  await translate(page, "Open the window, please.");
  await page.click('[data-act="export.copy.json"]');
  await page.waitForSelector("text=JSON copied.");
  const text = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal(JSON.parse(text).model, "en-ko-software");
  await page.click('[data-act="export.copy.png"]');
  await page.waitForSelector("text=PNG copied.");
  const types = await page.evaluate(async () => (await navigator.clipboard.read())[0].types);
  assert.deepEqual(types, ["image/png"]);
}));
