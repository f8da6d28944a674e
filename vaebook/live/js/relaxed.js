// Draws of Gumbel-softmax over K categories, and what an estimator of the gradient of E f(e_z) in
// the logits is on average and in a single draw, for f(y) = (a·y)² + a·y.

const dot = (first, second) => first.reduce((sum, value, k) => sum + value * second[k], 0);

export const value = (y, aim) => dot(y, aim) ** 2 + dot(y, aim);
const slope = (y, aim) => aim.map((a) => (2 * dot(y, aim) + 1) * a);

export function softmax(logits) {
  const most = Math.max(...logits);
  const shares = logits.map((logit) => Math.exp(logit - most));
  const sum = shares.reduce((a, b) => a + b);
  return shares.map((share) => share / sum);
}

// Rows of Gumbel noise.
export const gumbels = (random, rows, k) =>
  Array.from({ length: rows }, () =>
    Array.from({ length: k }, () => -Math.log(-Math.log(random.uniform()))),
  );

// Points of the simplex, one for each row of noise.
export const relaxed = (logits, noise, temperature) =>
  noise.map((row) => softmax(row.map((g, k) => (logits[k] + g) / temperature)));

// (diag y − y yᵀ) s, through which a softmax passes a slope on.
function passed(y, s) {
  const middle = dot(y, s);
  return y.map((share, k) => share * (s[k] - middle));
}

const corners = (q) => q.map((_, k) => q.map((__, j) => Number(j === k)));

// q (F − its mean): the gradient itself.
export function exact(logits, aim) {
  const q = softmax(logits);
  return passed(
    q,
    corners(q).map((corner) => value(corner, aim)),
  );
}

const size = (vector) => Math.sqrt(dot(vector, vector));

// The distance of the mean from the exact gradient and the deviation of a single draw, both by
// the size of that, and what of the former is chance.
function judged(exactly, mean, variance, draws = Infinity) {
  const norm = size(exactly);
  return {
    bias: size(mean.map((entry, k) => entry - exactly[k])) / norm,
    noise: Math.sqrt(variance) / norm,
    chance: Math.sqrt(variance / draws) / norm,
  };
}

// Straight-through by its finite sums.
export function straight(logits, aim) {
  const q = softmax(logits);
  const each = corners(q).map((corner) => passed(q, slope(corner, aim)));
  const mean = q.map((_, k) =>
    dot(
      q,
      each.map((row) => row[k]),
    ),
  );
  const squares = each.map((row) => size(row.map((entry, k) => entry - mean[k])) ** 2);
  return judged(exact(logits, aim), mean, dot(q, squares));
}

// Gumbel-softmax by its draws, in loops, since there are many of them.
export function gumbelSoftmax(logits, aim, noise, temperature) {
  const sums = logits.map(() => 0);
  const y = logits.map(() => 0);
  let squares = 0;
  for (const row of noise) {
    let [most, total, along] = [-Infinity, 0, 0];
    for (let k = 0; k < y.length; k++) {
      y[k] = (logits[k] + row[k]) / temperature;
      if (y[k] > most) most = y[k];
    }
    for (let k = 0; k < y.length; k++) {
      y[k] = Math.exp(y[k] - most);
      total += y[k];
      along += y[k] * aim[k];
    }
    along /= total;
    for (let k = 0; k < y.length; k++) {
      const entry = ((y[k] / total) * (aim[k] - along) * (2 * along + 1)) / temperature;
      sums[k] += entry;
      squares += entry * entry;
    }
  }
  const n = noise.length;
  const mean = sums.map((sum) => sum / n);
  const variance = ((squares / n - size(mean) ** 2) * n) / (n - 1);
  return judged(exact(logits, aim), mean, variance, n);
}
