/** What is seen, to keep: as PNG, SVG or JSON, saved or copied. */

import { drawing, element } from "./element.js";

const FONTS = "Inter, 'Noto Sans CJK KR', 'Apple SD Gothic Neo', 'Malgun Gothic', system-ui, sans-serif";
const SHARPNESS = 2;
/** Canvases larger than this, on a side, are refused by some browsers. */
const LARGEST_SIDE = 8192;

export const FORMATS = ["png", "svg", "json"];

/**
 * A figure in a format.
 * @param {string} format  one of FORMATS
 * @param {{width: number, height: number, shapes: Object[]}} shown
 * @param {Object} numbers  what JSON holds
 * @returns {Promise<Blob>}
 */
export async function written(format, shown, numbers) {
  if (format === "json") return new Blob([JSON.stringify(numbers, null, 1)], { type: "application/json" });
  if (format === "svg") return new Blob([svg(shown)], { type: "image/svg+xml" });
  return png(shown);
}

/** Save a file. */
export function save(blob, name) {
  const address = URL.createObjectURL(blob);
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

/** Copy to the clipboard. SVG and JSON go as text, which every editor takes. */
export async function copy(blob) {
  if (blob.type === "image/png") await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
  else await navigator.clipboard.writeText(await blob.text());
}

/** Browsers give the clipboard to pages from localhost or over TLS only. */
export function canCopy() {
  return Boolean(navigator.clipboard?.write) && "ClipboardItem" in window;
}

function svg({ width, height, shapes }) {
  const root = drawing("svg", { viewBox: `0 0 ${width} ${height}`, width, height, "font-family": FONTS });
  for (const shape of shapes) {
    const { x, y, colour } = shape;
    if (!("text" in shape)) {
      root.append(drawing("rect", { x, y, width: shape.width, height: shape.height, fill: colour }));
      continue;
    }
    const turn = shape.isUpright ? `rotate(-90 ${x} ${y})` : null;
    const attributes = { x, y, fill: colour, "font-size": shape.size, "text-anchor": shape.anchor, transform: turn };
    root.append(drawing("text", attributes, shape.text));
  }
  return `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(root)}\n`;
}

function png({ width, height, shapes }) {
  const sharpness = Math.min(SHARPNESS, LARGEST_SIDE / Math.max(width, height));
  const canvas = element("canvas", { width: Math.floor(width * sharpness), height: Math.floor(height * sharpness) });
  const context = canvas.getContext("2d");
  context.scale(sharpness, sharpness);
  for (const shape of shapes) draw(context, shape);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the browser drew no picture"))), "image/png");
  });
}

function draw(context, shape) {
  context.fillStyle = shape.colour;
  if (!("text" in shape)) {
    context.fillRect(shape.x, shape.y, shape.width, shape.height);
    return;
  }
  context.save();
  context.font = `${shape.size}px ${FONTS}`;
  context.textAlign = shape.anchor;
  context.translate(shape.x, shape.y);
  if (shape.isUpright) context.rotate(-Math.PI / 2);
  context.fillText(shape.text, 0, 0);
  context.restore();
}
