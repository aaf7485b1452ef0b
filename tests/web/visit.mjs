/** A visitor's browser. What goes wrong on the page (errors, refused content) fails the test that visits it. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before } from "node:test";
import { chromium } from "playwright-core";

export const URL_OF_PAGE = process.env.SEQ2SERVE_PAGE;
const ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
/** Of the slowest machine, in milliseconds. */
const PATIENCE = 120_000;
export const PHONE = { width: 360, height: 740 };

let browser;
before(async () => (browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ARGUMENTS })));
after(() => browser.close());

/**
 * Visit the page, do something there, and leave.
 * @param {Object} options  of a browser context, and view: the fragment; prepare: called with the page before it is opened;
 *   errors: patterns of console messages that the test means to cause
 * @param {function(import("playwright-core").Page): Promise} act
 */
export async function visit({ view = "translate", prepare, errors = [], ...options }, act) {
  const context = await browser.newContext({ locale: "en-US", viewport: { width: 1280, height: 900 }, ...options });
  const wrong = [];
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
  page.on("pageerror", (error) => wrong.push(String(error)));
  await prepare?.(page);
  await page.goto(`${URL_OF_PAGE}/#${view}`);
  await page.waitForSelector("html[data-ready]");
  await act(page);
  await context.close();
  assert.deepEqual(wrong.filter((text) => !errors.some((pattern) => pattern.test(text))), [], "errors on the page");
}

/** Write a sentence and translate it; when this returns, all rows of the heat map are there. */
export async function translate(page, sentence) {
  await page.fill("#source", sentence);
  await page.press("#source", "Enter");
  await isComplete(page);
}

/** Wait until the translation and its attention are there. */
export async function isComplete(page) {
  await page.waitForSelector("#target[aria-busy=false]");
  await page.waitForFunction(() => {
    if (document.querySelector("#attention[aria-busy]")) return false;
    const grid = document.querySelector(".map-grid");
    return Number(grid.getAttribute("aria-rowcount")) === 1 + grid.querySelectorAll(".map-row").length;
  });
}

/** What the API itself answers. */
export async function ask(path, request) {
  const headers = { "Content-Type": "application/json" };
  const response = await fetch(`${URL_OF_PAGE}/v1/${path}`, { method: "POST", headers, body: JSON.stringify(request) });
  const answer = await response.json();
  assert.equal(response.status, 200, JSON.stringify(answer));
  return answer;
}

/** The texts of elements. */
export function texts(page, selector) {
  return page.$$eval(selector, (nodes) => nodes.map((node) => node.textContent));
}

/** No accessibility rule is broken. */
export async function isAccessible(page, where) {
  await page.evaluate(AXE);
  const violations = await page.evaluate(async (values) => {
    const found = await axe.run({ runOnly: { type: "tag", values } });
    return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`);
  }, RULES);
  assert.deepEqual(violations, [], where);
}
