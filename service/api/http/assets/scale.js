/**
 * From a weight to a colour. One scale for each theme, from the page's own ground to its strongest contrast with it:
 * brightness alone carries the order, so that it is read without colour vision and in black and white, too.
 *
 * The place on the scale is the square root of the weight: of twenty tokens each has a weight of 0.05 when none is
 * preferred, and small preferences should be seen. The legend is drawn with the same root.
 */

const LIGHT = ["#f7f5f0", "#d9e6e3", "#a3cbd1", "#5f9fc0", "#2f6ba8", "#1c3f80", "#101f4d"];
const DARK = ["#1a1e25", "#1d3447", "#235a73", "#3a8590", "#6fb099", "#b6d6a0", "#fbf6c4"];
const STEPS = 256;

export class Scale {
  constructor(isDark) {
    const stops = (isDark ? DARK : LIGHT).map(parsed);
    /** Red, green and blue of 256 places, 0 to 255. */
    this.table = Array.from({ length: STEPS }, (_, place) => between(stops, place / (STEPS - 1)));
  }

  /** Red, green and blue, 0 to 255, of a weight from 0 to 1. */
  rgb(weight) {
    const place = Math.sqrt(Math.min(1, Math.max(0, weight)));
    return this.table[Math.round(place * (STEPS - 1))];
  }

  /** The same for CSS and SVG. */
  css(weight) {
    return hexadecimal(this.rgb(weight));
  }

  /** What can be read on that colour: black or white. */
  ink(weight) {
    return luminance(this.rgb(weight)) > 0.18 ? "#000000" : "#ffffff";
  }

  /** Give the legend its colours: --scale-0 to --scale-6. */
  publish(root) {
    for (let stop = 0; stop < LIGHT.length; stop += 1) {
      const place = stop / (LIGHT.length - 1);
      root.style.setProperty(`--scale-${stop}`, this.css(place * place));
    }
  }
}

function parsed(colour) {
  return [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
}

function hexadecimal(channels) {
  return `#${channels.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

function between(stops, place) {
  const below = Math.min(Math.floor(place * (stops.length - 1)), stops.length - 2);
  const share = place * (stops.length - 1) - below;
  return stops[below].map((value, channel) => Math.round(value + (stops[below + 1][channel] - value) * share));
}

/** Relative luminance, as WCAG 2 defines it. */
function luminance(channels) {
  const [red, green, blue] = channels.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
