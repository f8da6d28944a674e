// A small VAE that learns on the page: forward, backward, Adam. With n pixels and h hidden units,
//
//   (mu, log sigma²) = A tanh(W x + b) + a,   z = mu + sigma noise,
//   p(x|z) = Bernoulli(sigmoid(B tanh(V z + c) + d)),
//   loss = mean over the batch of -log p(x|z) + beta KL(q(z|x) ‖ N(0, I)), nats.
//
// Everything is allocated once; a step only writes.

import { Matrix, multiply, shift, sumRows } from "./matrix.js";

export const BATCH = 64;
export const LATENTS = 2;

const [FIRST, SECOND, TINY] = [0.9, 0.999, 1e-8]; // Adam's

// The weights by name, in one array, in the order in which torch lists them.
function named(data, pixels, hidden) {
  let start = 0;
  const take = (rows, columns) => {
    const part = data.subarray(start, (start += rows * columns));
    return columns === 1 ? part : new Matrix(rows, columns, part);
  };
  return {
    W: take(hidden, pixels),
    b: take(hidden, 1),
    A: take(2 * LATENTS, hidden),
    a: take(2 * LATENTS, 1),
    V: take(hidden, LATENTS),
    c: take(hidden, 1),
    B: take(pixels, hidden),
    d: take(pixels, 1),
  };
}

export const size = (pixels, hidden) =>
  hidden * (pixels + 1) +
  2 * LATENTS * (hidden + 1) +
  hidden * (LATENTS + 1) +
  pixels * (hidden + 1);

// By the exponential, which takes half the time of Math.tanh.
function tanh({ data }) {
  for (let i = 0; i < data.length; i++) data[i] = 1 - 2 / (Math.exp(2 * data[i]) + 1);
}

// From the gradient by tanh(u) to that by u.
function throughTanh(gradient, { data }) {
  for (let i = 0; i < data.length; i++) gradient.data[i] *= 1 - data[i] * data[i];
}

export class VAE {
  constructor(pixels, hidden) {
    this.pixels = pixels;
    this.hidden = hidden;
    const n = size(pixels, hidden);
    for (const name of ["weights", "gradient", "momentum", "square"]) {
      this[name] = new Float32Array(n);
    }
    this.steps = 0;
    this.terms = { reconstruction: 0, kl: 0 };
    this.w = named(this.weights, pixels, hidden);
    this.g = named(this.gradient, pixels, hidden);
    for (const name of ["W", "A", "V", "B"]) this.w[`${name}T`] = this.w[name].transposed;
    const layer = (columns) => new Matrix(BATCH, columns);
    this.x = layer(pixels);
    this.noise = layer(LATENTS);
    this.encoded = layer(hidden);
    this.codes = layer(2 * LATENTS);
    this.z = layer(LATENTS);
    this.decoded = layer(hidden);
    this.logits = layer(pixels);
    this.errors = { encoded: layer(hidden), z: layer(LATENTS), decoded: layer(hidden) };
    for (const name of ["codes", "logits"]) this.errors[name] = layer(this[name].columns);
    for (const [name, error] of Object.entries(this.errors)) {
      this.errors[`${name}T`] = error.transposed;
    }
  }

  // Weights from N(0, 1/inputs). The encoder's units start in the middle of their range, the
  // decoder's bend in different places, and the output is the mean image.
  start(random, mean) {
    const { W, b, A, V, c, B, d } = this.w;
    for (const values of [this.weights, this.momentum, this.square]) values.fill(0);
    this.steps = 0;
    for (const { columns, data } of [W, A, V, B]) {
      for (let i = 0; i < data.length; i++) data[i] = random.normal() / Math.sqrt(columns);
    }
    for (let unit = 0; unit < this.hidden; unit++) {
      c[unit] = random.normal();
      for (let i = 0; i < this.pixels; i++) b[unit] -= W.data[unit * this.pixels + i] * mean[i];
    }
    for (let i = 0; i < this.pixels; i++) {
      const share = Math.min(Math.max(mean[i], 0.01), 0.99);
      d[i] = Math.log(share / (1 - share));
    }
  }

  // Codes (mu, log sigma²) of the batch in x.
  encode() {
    const { WT, b, AT, a } = this.w;
    multiply(this.encoded, this.x, WT);
    shift(this.encoded, b);
    tanh(this.encoded);
    multiply(this.codes, this.encoded, AT);
    shift(this.codes, a);
  }

  // Draw z from q(z|x) with the noise at hand; without noise z is mu.
  draw(noisy) {
    const [codes, noise, z] = [this.codes.data, this.noise.data, this.z.data];
    for (let row = 0; row < BATCH; row++) {
      for (let j = 0; j < LATENTS; j++) {
        const at = 2 * LATENTS * row + j;
        const i = LATENTS * row + j;
        z[i] = codes[at] + (noisy ? Math.exp(codes[at + LATENTS] / 2) * noise[i] : 0);
      }
    }
  }

  // Logits of the pixels at the batch in z.
  decode() {
    const { VT, c, BT, d } = this.w;
    multiply(this.decoded, this.z, VT);
    shift(this.decoded, c);
    tanh(this.decoded);
    multiply(this.logits, this.decoded, BT);
    shift(this.logits, d);
  }

  // -log p(x|z), summed over the batch, and its gradient by the logits, which is x̂ - x.
  reconstruct() {
    const [x, logits, errors] = [this.x.data, this.logits.data, this.errors.logits.data];
    const { pixels } = this;
    let sum = 0;
    for (let row = 0, i = 0; row < BATCH; row++) {
      let product = 1; // of 1 + exp(-|logit|), so that one logarithm serves a row
      for (let k = 0; k < pixels; k++, i++) {
        const logit = logits[i];
        const small = Math.exp(-Math.abs(logit));
        product *= 1 + small;
        sum += (logit > 0 ? logit : 0) - x[i] * logit;
        errors[i] = ((logit > 0 ? 1 : small) / (1 + small) - x[i]) / BATCH;
      }
      sum += Math.log(product);
    }
    return sum;
  }

  // KL(q ‖ prior), summed over the batch; the gradient by the codes of the loss, from that by z.
  regularise(beta, noisy) {
    const [codes, noise] = [this.codes.data, this.noise.data];
    const [byCodes, byZ] = [this.errors.codes.data, this.errors.z.data];
    const weight = beta / BATCH;
    let sum = 0;
    for (let row = 0; row < BATCH; row++) {
      for (let j = 0; j < LATENTS; j++) {
        const at = 2 * LATENTS * row + j;
        const i = LATENTS * row + j;
        const mu = codes[at];
        const logvar = codes[at + LATENTS];
        const variance = Math.exp(logvar);
        const drawn = noisy ? 0.5 * Math.sqrt(variance) * noise[i] * byZ[i] : 0;
        sum += 0.5 * (mu * mu + variance - 1 - logvar);
        byCodes[at] = byZ[i] + weight * mu;
        byCodes[at + LATENTS] = drawn + 0.5 * weight * (variance - 1);
      }
    }
    return sum;
  }

  // The loss of the batch in x with the noise at hand, and its gradient by all weights.
  evaluate(beta, noisy) {
    this.encode();
    this.draw(noisy);
    this.decode();
    this.terms.reconstruction = this.reconstruct() / BATCH;
    const { w, g, errors } = this;
    multiply(g.B, errors.logitsT, this.decoded);
    sumRows(g.d, errors.logits);
    multiply(errors.decoded, errors.logits, w.B);
    throughTanh(errors.decoded, this.decoded);
    multiply(g.V, errors.decodedT, this.z);
    sumRows(g.c, errors.decoded);
    multiply(errors.z, errors.decoded, w.V);
    this.terms.kl = this.regularise(beta, noisy) / BATCH;
    multiply(g.A, errors.codesT, this.encoded);
    sumRows(g.a, errors.codes);
    multiply(errors.encoded, errors.codes, w.A);
    throughTanh(errors.encoded, this.encoded);
    multiply(g.W, errors.encodedT, this.x);
    sumRows(g.b, errors.encoded);
  }

  // A step of Adam along the gradient.
  descend(rate) {
    this.steps += 1;
    const { weights, gradient, momentum, square } = this;
    const size1 = rate / (1 - FIRST ** this.steps);
    const scale = 1 / (1 - SECOND ** this.steps);
    for (let i = 0; i < weights.length; i++) {
      const slope = gradient[i];
      const mean = FIRST * momentum[i] + (1 - FIRST) * slope;
      const spread = SECOND * square[i] + (1 - SECOND) * slope * slope;
      momentum[i] = mean;
      square[i] = spread;
      weights[i] -= (size1 * mean) / (Math.sqrt(scale * spread) + TINY);
    }
  }
}
