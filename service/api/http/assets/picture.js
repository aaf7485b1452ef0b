/** A picture that the visitor chose, drawn by the page itself, and a grid of weights over it: what is not looked at is dim. */

import { element } from "./element.js";

/** The service's own limits, unless it is told otherwise, are 3,000,000 bytes and 25,000,000 pixels; what is larger is made smaller here. */
const MOST_BYTES = 2_900_000;
const MOST_PIXELS = 25_000_000;
const LARGEST_SIDE = 1280;
const JPEG_QUALITY = 0.9;
/** How dark the cell becomes that is looked at least. */
const DIMMEST = 0.8;
const CHUNK = 0x8000;

export class Picture {
  /**
   * Read a file.
   * @param {File} file
   * @throws {DOMException} if the browser cannot read it as a picture
   */
  static async read(file) {
    const bitmap = await createImageBitmap(file);
    const scale = Math.min(1, LARGEST_SIDE / Math.max(bitmap.width, bitmap.height));
    const size = { width: Math.max(1, Math.round(bitmap.width * scale)), height: Math.max(1, Math.round(bitmap.height * scale)) };
    const canvas = element("canvas", { class: "picture-canvas", ...size });
    const context = canvas.getContext("2d");
    context.fillStyle = "#ffffff"; // what is transparent is white to the model, too
    context.fillRect(0, 0, size.width, size.height);
    context.drawImage(bitmap, 0, 0, size.width, size.height);
    const isSmall = file.size <= MOST_BYTES && bitmap.width * bitmap.height <= MOST_PIXELS;
    const isTaken = isSmall && ["image/png", "image/jpeg"].includes(file.type);
    const sent = isTaken ? file : await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", JPEG_QUALITY));
    return new Picture(canvas, encoded(new Uint8Array(await sent.arrayBuffer())));
  }

  constructor(canvas, base64) {
    /** The file as JSON carries bytes. */
    this.base64 = base64;
    this.veil = element("canvas", { class: "picture-veil", hidden: true });
    this.root = element("div", { class: "picture", "aria-hidden": "true" }, canvas, this.veil);
  }

  /** @param {?{rows: number, columns: number, weights: number[]}} grid  null: the bare picture */
  show(grid) {
    this.veil.hidden = grid === null;
    if (grid === null) return;
    this.veil.width = grid.columns;
    this.veil.height = grid.rows;
    const context = this.veil.getContext("2d");
    const image = context.createImageData(grid.columns, grid.rows);
    const most = Math.max(...grid.weights) || 1;
    grid.weights.forEach((weight, cell) => (image.data[cell * 4 + 3] = 255 * DIMMEST * (1 - weight / most)));
    context.putImageData(image, 0, 0);
  }
}

function encoded(bytes) {
  let text = "";
  for (let begin = 0; begin < bytes.length; begin += CHUNK) {
    text += String.fromCharCode(...bytes.subarray(begin, begin + CHUNK)); // a call takes only so many arguments
  }
  return btoa(text);
}
