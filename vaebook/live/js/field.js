// A diffusion in the plane: its process, the fields that say which noise to believe in, ways back.

import { Random } from "./random.js";

const WAVES = 8; // of the time that a network is told

// How much signal and noise there is at a time in [0, 1].
export function levels([first, last], t) {
  const ratio = first + t * (last - first);
  const signal = 1 / (1 + Math.exp(-ratio));
  return { ratio, alpha: Math.sqrt(signal), sigma: Math.sqrt(1 - signal) };
}

// The exact field of a mixture of normals whose axes are those of the plane.
export function exactField({ means, variances, weights }, process) {
  const logs = new Float64Array(weights.length);
  return (z, t) => {
    const { alpha, sigma } = levels(process, t);
    const pulls = means.map((mean, k) => {
      const spread = variances[k].map((v) => alpha * alpha * v + sigma * sigma);
      const away = mean.map((m, j) => z[j] - alpha * m);
      const square = away[0] ** 2 / spread[0] + away[1] ** 2 / spread[1];
      logs[k] = Math.log(weights[k]) - 0.5 * (square + Math.log(spread[0] * spread[1]));
      return away.map((value, j) => value / spread[j]);
    });
    const top = Math.max(...logs);
    const sum = [0, 0, 0];
    pulls.forEach((pull, k) => {
      const share = Math.exp(logs[k] - top);
      for (const j of [0, 1]) sum[j] += share * pull[j];
      sum[2] += share;
    });
    return [0, 1].map((j) => (sigma * sum[j]) / sum[2]);
  };
}

// What a denoiser has learned: the noise of a normal density, corrected by its network.
export function learnedField(network, process) {
  const inputs = new Float32Array(2 + 2 * WAVES);
  return (z, t) => {
    const { alpha, sigma } = levels(process, t);
    inputs.set(z);
    for (let k = 0; k < WAVES; k++) {
      const phase = (Math.PI / 2) * 2 ** k * t;
      inputs[2 + k] = Math.sin(phase);
      inputs[2 + WAVES + k] = Math.cos(phase);
    }
    const v = network.run(inputs);
    return [0, 1].map((j) => sigma * z[j] + alpha * v[j]);
  };
}

// From time t to s: an ancestral step, or one of Heun's rule along the probability flow.
function ancestral(field, process, z, t, s, random) {
  const [here, there] = [levels(process, t), levels(process, s)];
  const c = -Math.expm1(here.ratio - there.ratio);
  const noise = field(z, t);
  return z.map((value, j) => {
    const kept = value - c * here.sigma * noise[j];
    return (there.alpha / here.alpha) * kept + there.sigma * Math.sqrt(c) * random.normal();
  });
}

function heun(field, process, z, t, s) {
  const [here, there] = [levels(process, t), levels(process, s)];
  const step = there.sigma / there.alpha - here.sigma / here.alpha;
  const along = (noise) =>
    z.map((value, j) => there.alpha * (value / here.alpha + step * noise[j]));
  const first = field(z, t);
  const second = field(along(first), s);
  return along(first.map((value, j) => (value + second[j]) / 2));
}

// The places of a way from time 1 to 0, in even steps; with a seed that of the stochastic equation.
export function wayBack(field, process, start, steps, seed) {
  const random = seed === undefined ? null : new Random(seed);
  const way = [Array.from(start)];
  for (let k = steps; k > 0; k--) {
    const [t, s] = [k / steps, (k - 1) / steps];
    const z = way.at(-1);
    way.push(random ? ancestral(field, process, z, t, s, random) : heun(field, process, z, t, s));
  }
  return way;
}
