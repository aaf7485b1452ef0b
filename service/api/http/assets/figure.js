/**
 * A heat map as a figure for papers and slides: rectangles and text, in pixels, which a canvas or SVG draws.
 *
 * A shape is {x, y, width, height, colour} or {x, y, text, size, anchor, colour, isUpright}; text stands on its baseline.
 */

const CELL = 26;
const MARGIN = 16;
const SIZE = 13;
/** Mean width of a character, as a share of its height; Hangul is as wide as it is high. */
const NARROW = 0.56;
const WIDE = 1.0;

/**
 * @param {{weights: Object, rowTokens: Object[], columnTokens: Object[], title: string, scale: Object, ground: string,
 *   ink: string}} map
 * @returns {{width: number, height: number, shapes: Object[]}}
 */
export function figure({ weights, rowTokens, columnTokens, title, scale, ground, ink }) {
  const left = MARGIN + longest(rowTokens) + 8;
  const top = MARGIN + SIZE * 2 + longest(columnTokens) + 8;
  const width = Math.max(left + weights.columns * CELL, MARGIN + widthOf(title)) + MARGIN;
  const height = top + rowTokens.length * CELL + MARGIN;
  const shapes = [
    { x: 0, y: 0, width, height, colour: ground },
    { x: MARGIN, y: MARGIN + SIZE, text: title, size: SIZE, anchor: "start", colour: ink },
  ];
  columnTokens.forEach((token, column) => {
    const x = left + (column + 0.5) * CELL + SIZE * 0.35;
    shapes.push({ x, y: top - 6, text: token.text, size: SIZE, anchor: "start", colour: ink, isUpright: true });
  });
  rowTokens.forEach((token, row) => {
    const y = top + (row + 0.5) * CELL + SIZE * 0.35;
    shapes.push({ x: left - 8, y, text: token.text, size: SIZE, anchor: "end", colour: ink });
    for (let column = 0; column < weights.columns; column += 1) {
      const colour = scale.css(weights.at(row, column));
      shapes.push({ x: left + column * CELL, y: top + row * CELL, width: CELL - 1, height: CELL - 1, colour });
    }
  });
  return { width: Math.ceil(width), height: Math.ceil(height), shapes };
}

function longest(tokens) {
  return Math.max(0, ...tokens.map((token) => widthOf(token.text)));
}

function widthOf(text) {
  return Array.from(text).reduce((sum, character) => sum + (character > "\u2e7f" ? WIDE : NARROW) * SIZE, 0);
}
