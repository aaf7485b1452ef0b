/** Vectors that the encoder made of tokens, compared by the angle between them. */

/** Cosine of the angle between two vectors of the same length: 1 for the same direction, 0 for a right angle. */
export function cosine(one, other) {
  let [product, ownSquares, otherSquares] = [0, 0, 0];
  for (let index = 0; index < one.length; index += 1) {
    product += one[index] * other[index];
    ownSquares += one[index] ** 2;
    otherSquares += other[index] ** 2;
  }
  return product / Math.sqrt(ownSquares * otherSquares || 1);
}

/** The middle of vectors, for words of several tokens. */
export function mean(vectors) {
  const sum = new Float64Array(vectors[0].length);
  for (const vector of vectors) vector.forEach((value, index) => (sum[index] += value / vectors.length));
  return sum;
}

/**
 * How near to each other the tokens are that stand in both of two sentences, apart from those without characters.
 * @param {import("./attention.js").Attention} one  with encodings
 * @param {import("./attention.js").Attention} other
 * @returns {{text: string, cosine: number}[]}  the first of each token, nearest first
 */
export function shared(one, other) {
  const found = new Map();
  one.sourceTokens.forEach((token, index) => {
    const place = other.sourceTokens.findIndex((candidate) => candidate.piece === token.piece);
    if (place < 0 || token.isSpecial || found.has(token.piece)) return;
    found.set(token.piece, { text: token.text, cosine: cosine(one.encodings[index], other.encodings[place]) });
  });
  return Array.from(found.values()).sort((first, second) => second.cosine - first.cosine);
}

/** The mean cosine of all pairs of different tokens, one from each sentence: how near is not near at all. */
export function unrelated(one, other) {
  const cosines = one.sourceTokens.flatMap((token, index) => other.sourceTokens.flatMap((candidate, place) => {
    return candidate.piece === token.piece ? [] : [cosine(one.encodings[index], other.encodings[place])];
  }));
  return cosines.reduce((sum, value) => sum + value, 0) / (cosines.length || 1);
}
