/**
 * A picture is described. Whatever models are bundled, here the test answers for the service, with numbers that can be told
 * apart, in the form that protos/seq2serve/v1/caption_service.proto gives to answers.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { isAccessible, visit } from "./visit.mjs";

const MODEL = {
  name: "pictures",
  version: "1",
  architecture: "captioner",
  precision: "int8",
  state: "MODEL_STATE_READY",
  languagePairs: [{ sourceLanguageCode: "", targetLanguageCode: "en" }, { sourceLanguageCode: "", targetLanguageCode: "ko" }],
  maxSourceTokens: 4,
  maxTargetTokens: 32,
};
/** The upper left and the lower right of a grid of 2 × 2. */
const GRIDS = [[0.7, 0.1, 0.1, 0.1], [0, 0.25, 0, 0.75]];
const ANSWER = {
  caption: "red square",
  languageCode: "en",
  hypotheses: [{ text: "red square", score: -1.25, logProb: -1.5 }],
  words: ["red", "square"].map((word, index) => ({ word, attention: { rows: 2, columns: 2, weights: GRIDS[index] } })),
  model: "pictures",
  modelVersion: "1",
};

/** A service that has these models for pictures. */
function serving(...models) {
  return (page) => page.route("**/v1/models?*", async (route) => {
    const answer = await (await route.fetch()).json();
    const others = answer.models.filter((model) => model.languagePairs.every((pair) => pair.sourceLanguageCode));
    await route.fulfill({ json: { ...answer, models: [...others, ...models] } });
  });
}

/** A service that has a model for pictures, and notes what it is asked. */
function captioning(asked) {
  return async (page) => {
    await serving(MODEL)(page);
    await page.route("**/v1/caption", (route) => {
      asked.push(route.request().postDataJSON());
      return route.fulfill({ json: ANSWER });
    });
  };
}

async function choosePicture(page, type, width = 64) {
  const data = await page.evaluate(([kind, size]) => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [size, size];
    canvas.getContext("2d").fillRect(0, 0, size / 2, size / 2);
    return canvas.toDataURL(kind).split(",")[1];
  }, [type, width]);
  await page.setInputFiles("#picture", { name: "picture", mimeType: type, buffer: Buffer.from(data, "base64") });
  await page.waitForSelector(".caption");
  return data;
}

/** How dark the veil is over each cell, 0 to 255. */
const veil = (page) => page.$eval(".picture-veil", (canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return Array.from(data).filter((_, index) => index % 4 === 3);
});

test("a picture is described, and every word shows where the model looked", () => {
  const asked = [];
  return visit({ view: "caption", prepare: captioning(asked) }, async (page) => {
    const data = await choosePicture(page, "image/png");
    assert.equal(asked[0].image, data, "the file as it is");
    assert.deepEqual(asked[0].modelSelection, { model: "pictures", targetLanguageCode: "en" });
    assert.equal(await page.textContent(".caption"), "red square");
    assert.equal(await page.isVisible(".picture-veil"), false);
    await page.hover(".captioned .token:nth-child(1)");
    const [seen, ...dim] = await veil(page);
    assert.equal(seen, 0);
    assert.ok(dim.every((value) => value > 150), `${dim}`);
    assert.match(await page.textContent(".captioned .readout"), /“red”: most in row 1, column 1 of the grid, 70%/);
    await page.hover(".captioned .token:nth-child(2)");
    assert.equal((await veil(page))[3], 0);
    await isAccessible(page, "captioned");
    await page.mouse.move(0, 0);
    await page.selectOption("#caption-picker .direction", { label: "Korean" });
    await page.waitForFunction(() => !document.querySelector(".picture-veil:not([hidden])"));
    assert.equal(asked[1].modelSelection.targetLanguageCode, "ko");
  });
});

test("a picture of another kind is sent as one that the service reads", () => {
  const asked = [];
  return visit({ view: "caption", prepare: captioning(asked), viewport: { width: 360, height: 740 } }, async (page) => {
    await choosePicture(page, "image/webp", 900);
    const sent = Buffer.from(asked[0].image, "base64");
    assert.deepEqual([...sent.subarray(0, 3)], [0xff, 0xd8, 0xff], "JPEG");
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
    await page.setInputFiles("#picture", { name: "none", mimeType: "image/png", buffer: Buffer.from("no picture") });
    await page.waitForSelector("text=This file cannot be read as a picture.");
    assert.equal(asked.length, 1);
  });
});

test("a picture of more pixels than the service reads is made smaller", () => {
  const asked = [];
  return visit({ view: "caption", prepare: captioning(asked) }, async (page) => {
    const large = await page.evaluate(async () => {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [5001, 5000];
      return canvas.toDataURL("image/png").split(",")[1]; // one colour: few bytes
    });
    const buffer = Buffer.from(large, "base64");
    assert.ok(buffer.length < 1_000_000, `${buffer.length}`);
    await page.setInputFiles("#picture", { name: "large.png", mimeType: "image/png", buffer });
    await page.waitForSelector(".caption");
    assert.deepEqual([...Buffer.from(asked[0].image, "base64").subarray(0, 3)], [0xff, 0xd8, 0xff], "JPEG");
  });
});

test("of two pictures in quick succession the second is described, though the first takes longer to read", () => {
  const asked = [];
  return visit({ view: "caption", prepare: captioning(asked) }, async (page) => {
    await page.evaluate(() => {
      const read = window.createImageBitmap;
      window.createImageBitmap = async (file) => {
        if (file.name === "first") await new Promise((resolve) => (window.goOn = resolve));
        return read(file);
      };
    });
    const buffers = await page.evaluate(() => ["red", "blue"].map((colour) => {
      const canvas = document.createElement("canvas");
      const context = canvas.getContext("2d");
      context.fillStyle = colour;
      context.fillRect(0, 0, 100, 100);
      return canvas.toDataURL("image/png").split(",")[1];
    }));
    for (const [index, name] of ["first", "second"].entries()) {
      await page.setInputFiles("#picture", { name, mimeType: "image/png", buffer: Buffer.from(buffers[index], "base64") });
    }
    await page.waitForSelector(".caption");
    await page.evaluate(() => window.goOn());
    await page.waitForTimeout(300); // for a picture that nobody waits for any more
    assert.deepEqual(asked.map((request) => request.image), [buffers[1]]);
    const shown = await page.$eval(".picture-canvas", (canvas) => [...canvas.getContext("2d").getImageData(5, 5, 1, 1).data]);
    assert.deepEqual(shown, [0, 0, 255, 255]);
  });
});

test("without a model for pictures there is nothing to see of them", () => visit({ view: "caption", prepare: serving() }, async (page) => {
  assert.equal(await page.isVisible("nav a[href='#caption']"), false);
  assert.equal(await page.isVisible("#view-translate"), true);
}));
