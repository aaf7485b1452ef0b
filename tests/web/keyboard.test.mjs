/** A person without a mouse. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { isComplete, visit } from "./visit.mjs";

const press = async (page, ...keys) => {
  for (const key of keys) await page.keyboard.press(key);
};
const focused = (page, read) => page.evaluate(`(${read})(document.activeElement)`);

/** Tab until something has the focus. */
async function tabTo(page, selector) {
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press("Tab");
    if (await page.evaluate((wanted) => document.activeElement.matches(wanted), selector)) return;
  }
  assert.fail(`Tab never comes to ${selector}`);
}

async function isOutlined(page) {
  return focused(page, (node) => getComputedStyle(node).outlineStyle !== "none" && parseFloat(getComputedStyle(node).outlineWidth) >= 2);
}

test("the whole way by keyboard", () => visit({}, async (page) => {
  await press(page, "Tab");
  assert.equal(await focused(page, (node) => node.textContent), "Skip to the content");
  assert.ok(await isOutlined(page));
  await press(page, "Enter");
  assert.equal(await focused(page, (node) => node.id), "main");
  await tabTo(page, "#source");
  await press(page, "Control+a");
  await page.keyboard.type("Open the window, please.");
  await press(page, "Enter");
  await isComplete(page);

  await tabTo(page, ".links [role=option]");
  await press(page, "ArrowRight");
  assert.match(await page.textContent(".readout"), /^the is looked at by/);
  assert.ok(await isOutlined(page));
  await press(page, "Enter", "Tab");
  assert.match(await page.textContent(".readout"), /looks at|is looked at by/, "Enter keeps a word");
  await press(page, "Escape");

  await tabTo(page, ".heads input");
  await press(page, "ArrowRight");
  assert.equal(await page.getAttribute(".heads input:checked", "value"), "0 -1");
  await tabTo(page, "[role=gridcell]");
  const label = () => focused(page, (node) => node.getAttribute("aria-label"));
  const first = await label();
  assert.match(first, / looks at Open: [\d.]+%$/);
  assert.ok(await isOutlined(page));
  await press(page, "ArrowRight", "ArrowDown");
  assert.notEqual(await label(), first);
  assert.match(await label(), / looks at the: [\d.]+%$/);
  assert.equal((await page.$$("[role=gridcell][tabindex]")).length, 1, "only one cell exists");
  await press(page, "End");
  assert.match(await label(), / looks at <\/s>: /);
  await press(page, "Home", "ArrowLeft");
  assert.equal(await focused(page, (node) => node.getAttribute("role")), "rowheader");
  await press(page, "Control+Home", "ArrowUp");
  assert.equal(await focused(page, (node) => node.getAttribute("role")), "columnheader");
  await press(page, "Tab");
  assert.equal(await page.evaluate(() => document.querySelector(".map-grid").contains(document.activeElement)), false);
}));

test("Enter that ends a syllable of Hangul does not translate", () => visit({}, async (page) => {
  await page.focus("#source");
  const isTaken = await page.evaluate(() => {
    const enter = new KeyboardEvent("keydown", { key: "Enter", isComposing: true, bubbles: true, cancelable: true });
    return !document.getElementById("source").dispatchEvent(enter);
  });
  assert.equal(isTaken, false);
  assert.equal(await page.textContent("#target"), "");
}));
