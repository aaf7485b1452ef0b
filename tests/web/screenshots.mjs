/**
 * node tests/web/screenshots.mjs: the pictures of docs/page.md, anew; of the service at SEQ2SERVE_PAGE, or one of its own. Made
 * with the fonts Inter and Noto Sans CJK on the machine. That of a caption is made where the model captions-en-ko is served.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { chromium } from "playwright-core";
import { ended, python, startService } from "./service.mjs";

const ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const SENTENCE = "The children are playing in the garden.";
const IMAGES = path.resolve(import.meta.dirname, "../../docs/images");
const DESK = { width: 1160, height: 1180 };

const running = process.env.SEQ2SERVE_PAGE;
const service = running ? { url: running, stop: () => {} } : await startService();
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ARGUMENTS });

async function picture(name, view, options, act) {
  const page = await browser.newPage({ viewport: DESK, locale: "en-US", reducedMotion: "reduce", ...options });
  await page.goto(`${service.url}/#${view}`);
  await page.waitForSelector("html[data-ready]");
  await act(page);
  await page.screenshot({ path: path.join(IMAGES, `page-${name}.png`) });
  await page.close();
}

async function translate(page, sentence) {
  await page.fill("#source", sentence);
  await page.press("#source", "Enter");
  await page.waitForSelector("#target[aria-busy=false]");
  await page.waitForSelector("#attention:not([aria-busy]) .map-row");
}

async function compare(page, word) {
  await page.click(`#compare-examples >> text=${word}`);
  await page.waitForSelector("#comparison:not([hidden])");
}

async function caption(page, scene) {
  await page.setInputFiles("#picture", scene);
  await page.waitForSelector(".caption");
  await page.hover(".captioned .token:nth-child(3)"); // after article and colour comes the thing
}

const CAPTIONER = "captions-en-ko";

async function pictureOfCaption() {
  const { models } = await (await fetch(`${service.url}/v1/models?page_size=200`)).json();
  if (!models.some((model) => model.name === CAPTIONER)) {
    console.log(`no page-caption.png: ${CAPTIONER} is not served`);
    return;
  }
  const folder = await mkdtemp(path.join(tmpdir(), "seq2serve-scene-"));
  const scene = path.join(folder, "scene.png");
  try {
    await ended(python("-m", "tests.web.scene", scene));
    await picture("caption", "caption", { viewport: { width: 1160, height: 900 } }, (page) => caption(page, scene));
  } finally {
    await rm(folder, { recursive: true });
  }
}

try {
  await picture("light", "translate", {}, async (page) => {
    await translate(page, SENTENCE);
    await page.hover(".links .token-line:nth-of-type(2) .token:nth-child(1)");
  });
  await picture("dark", "translate", { colorScheme: "dark" }, async (page) => {
    await page.selectOption("#nbest", "4");
    await translate(page, SENTENCE);
    await page.check('input[value="ATTENTION_KIND_ENCODER_SELF"]');
    await page.hover(".arcs .token:nth-child(4)");
  });
  await picture("compare", "compare", { viewport: { width: 1160, height: 1240 } }, (page) => compare(page, "bank"));
  await picture("phone", "translate", { locale: "ko-KR", viewport: { width: 390, height: 844 } }, async (page) => {
    await page.selectOption("#translate-picker .direction", { label: "한국어 → 영어" });
    await translate(page, "저는 매일 아침 커피를 마십니다.");
    await page.evaluate(() => document.querySelector("#attention").scrollIntoView());
    await page.hover(".links .token-line:nth-of-type(2) .token:nth-child(3)");
  });
  await pictureOfCaption();
} finally {
  await browser.close();
  await service.stop();
}
