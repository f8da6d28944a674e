// Heatmaps of 36 × 36 pixels as vaebook.datasets makes them, and the one nearest to an image.

const SIDE = 36;
const EXTENT = 3;

export const HEATMAP = [1, SIDE, SIDE];

// x², xy and y² at each pixel, row by row.
const AXIS = Array.from({ length: SIDE }, (_, k) => EXTENT * ((2 * k) / (SIDE - 1) - 1));
const overPixels = (f) => Float64Array.from(AXIS.flatMap((y) => AXIS.map((x) => f(x, y))));
const XX = overPixels((x) => x * x);
const XY = overPixels((x, y) => x * y);
const YY = overPixels((_, y) => y * y);

const VARIANCES = [Math.log(0.01), Math.log(50)];
const SKEWS = [-Math.atanh(0.995), Math.atanh(0.995)];
const REACH = [VARIANCES, VARIANCES, SKEWS];
const STARTS = [
  [0, 0, 0],
  [-1.5, 1, 0],
  [1, -1.5, 0],
  [0.5, 0.5, 1],
  [0.5, 0.5, -1],
  [-1, -1, 0],
];

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

// The squared distance at each pixel, and the pixel where it is least.
function squaredForm(p) {
  const squared = XX.map((xx, i) => p[0] * xx + p[1] * XY[i] + p[2] * YY[i]);
  let least = 0;
  squared.forEach((value, i) => {
    if (value < squared[least]) least = i;
  });
  return { squared, least };
}

// The image of a t density of variances s1, s2 and a correlation, its largest pixel 1; of infinitely
// many degrees of freedom the normal one.
export function tHeatmap([s1, s2, rho], df) {
  const rest = 1 - rho * rho;
  const p = [1 / (s1 * rest), (-2 * rho) / (Math.sqrt(s1 * s2) * rest), 1 / (s2 * rest)];
  const { squared, least } = squaredForm(p);
  const level = Number.isFinite(df)
    ? (value) => ((df + 2) / 2) * Math.log1p(value / df)
    : (value) => value / 2;
  return Float32Array.from(squared, (value) => Math.exp(level(squared[least]) - level(value)));
}

export const heatmap = (factors) => tHeatmap(factors, Infinity);

// Dark where an image crosses half of the largest pixel there can be.
export const outline = (image) => image.map((value) => Math.exp(-(((value - 0.5) / 0.1) ** 2)));

// The precision's coefficients at t = (log s1, log s2, atanh rho), and their derivatives.
function precision([a, b, t]) {
  const [first, second, mixed] = [Math.exp(-a), Math.exp(-b), Math.exp(-(a + b) / 2)];
  const [cosh2, sinh, cosh] = [Math.cosh(t) ** 2, Math.sinh(2 * t), Math.cosh(2 * t)];
  const p = [first * cosh2, -mixed * sinh, second * cosh2];
  const slope = [
    [-p[0], 0, first * sinh],
    [-p[1] / 2, -p[1] / 2, -2 * mixed * cosh],
    [0, -p[2], second * sinh],
  ];
  return { p, slope };
}

// The heatmap at t = (log s1, log s2, atanh rho) with its slopes along the three, [pixels, 4].
export function heatmapJet(theta) {
  const { p, slope } = precision(theta);
  const { squared, least } = squaredForm(p);
  const jet = new Float32Array(4 * squared.length);
  squared.forEach((value, i) => {
    const h = Math.exp(-0.5 * (value - squared[least]));
    const [xx, xy, yy] = [XX[i] - XX[least], XY[i] - XY[least], YY[i] - YY[least]];
    jet[4 * i] = h;
    for (let j = 0; j < 3; j++) {
      jet[4 * i + 1 + j] = -0.5 * h * (xx * slope[0][j] + xy * slope[1][j] + yy * slope[2][j]);
    }
  });
  return jet;
}

// The squared distance of a heatmap from an image and, for Gauss and Newton, J'J and J'r.
function against(image, theta) {
  const { p, slope } = precision(theta);
  const { squared, least } = squaredForm(p);
  const gram = [0, 1, 2].map(() => [0, 0, 0]);
  const pull = [0, 0, 0];
  const row = [0, 0, 0];
  let [cost, norm] = [0, 0];
  for (let i = 0; i < image.length; i++) {
    const h = Math.exp(-0.5 * (squared[i] - squared[least]));
    const rest = h - image[i];
    const xx = XX[i] - XX[least];
    const xy = XY[i] - XY[least];
    const yy = YY[i] - YY[least];
    for (let j = 0; j < 3; j++) {
      row[j] = -0.5 * h * (xx * slope[0][j] + xy * slope[1][j] + yy * slope[2][j]);
    }
    for (let j = 0; j < 3; j++) {
      pull[j] += row[j] * rest;
      for (let k = 0; k < 3; k++) gram[j][k] += row[j] * row[k];
    }
    cost += rest * rest;
    norm += h * h;
  }
  return { theta, cost, norm, gram, pull };
}

function determinant([a, b, c]) {
  const minor = (i, j) => b[i] * c[j] - b[j] * c[i];
  return a[0] * minor(1, 2) - a[1] * minor(0, 2) + a[2] * minor(0, 1);
}

// The solution of three equations, by Cramer's rule.
function solve(m, v) {
  const whole = determinant(m);
  const put = (j) => m.map((row, i) => row.map((value, k) => (k === j ? v[i] : value)));
  return [0, 1, 2].map((j) => determinant(put(j)) / whole);
}

// A damped step of Gauss and Newton, within reach.
function stepFrom({ theta, gram, pull }, damping) {
  const damp = (value, i, j) => (i === j ? value * (1 + damping) + 1e-12 : value);
  const move = solve(
    gram.map((row, i) => row.map((value, j) => damp(value, i, j))),
    pull,
  );
  return theta.map((value, j) => clamp(value - clamp(move[j], -1.5, 1.5), ...REACH[j]));
}

// Levenberg and Marquardt's method from one start.
function descend(image, start) {
  let here = against(image, start);
  let damping = 1e-2;
  for (let step = 0; step < 60 && damping < 1e8; step++) {
    const there = against(image, stepFrom(here, damping));
    if (there.cost <= here.cost) {
      const gain = here.cost - there.cost;
      here = there;
      damping /= 5;
      if (gain < 1e-9 * here.cost + 1e-12) break;
    } else damping *= 6;
  }
  return here;
}

// The nearest true heatmap, and how far it is, relative to its own norm.
export function fitHeatmap(image) {
  const found = STARTS.map((start) => descend(image, start));
  const { theta, cost, norm } = found.reduce((best, next) =>
    next.cost < best.cost ? next : best,
  );
  const [a, b, t] = theta;
  const relative = Math.sqrt(cost / norm);
  return { varX: Math.exp(a), varY: Math.exp(b), corr: Math.tanh(t), relative };
}
