/** Words that two sentences have in common. */

/** Korean words carry their particles with them: this many syllables in common make a common word. */
const FEWEST_SYLLABLES = 2;
const HANGUL = /^\p{Script=Hangul}+$/u;

/** @returns {string[]} the longest first, as the first sentence has them */
export function sharedWords(first, second) {
  const own = words(first);
  const others = words(second);
  const found = own.flatMap((word) => others.map((other) => common(word, other))).filter(Boolean);
  return Array.from(new Set(found)).sort((one, other) => other.length - one.length);
}

/** Where a word stands first in a text: {begin, end} in code points; null where it does not. */
export function placeOf(word, text) {
  const at = text.toLowerCase().indexOf(word.toLowerCase());
  if (at < 0 || !word) return null;
  const begin = Array.from(text.slice(0, at)).length;
  return { begin, end: begin + Array.from(word).length };
}

function words(text) {
  return text.match(/[\p{L}\p{N}]+/gu) ?? [];
}

function common(word, other) {
  if (!HANGUL.test(word)) return word.toLowerCase() === other.toLowerCase() ? word : "";
  const letters = Array.from(word);
  const end = letters.findIndex((letter, index) => letter !== Array.from(other)[index]);
  const stem = end < 0 ? word : letters.slice(0, end).join("");
  return stem.length >= FEWEST_SYLLABLES ? stem : "";
}
