// The ELBO of a diagonal Gaussian q over two latents, by 64 nodes of Gauss and Hermite, with its
// exact gradient, and Adam, which climbs it. With nodes e[k] of weights w[k] and z[k] = mu + sigma e[k],
//
//   L(q) = Σ w[k] log p(x|z[k]) − KL(q ‖ N(0, I)),
//   dL/dmu = Σ w[k] g[k] − mu,   dL/dlog sigma = Σ w[k] g[k] e[k] sigma − (sigma² − 1),
//
// where g[k] is the slope of log p(x|z) at z[k], which goes back through the decoder.

import { klToPrior } from "./elbo.js";

const LANES = 8; // codes at a time, which share every weight that is read
const [RATE, FIRST, SECOND, TINY] = [0.1, 0.9, 0.99, 1e-8]; // Adam's

// y = weight x + bias for all lanes: [inputs, LANES] to [outputs, LANES].
function linear(weight, bias, x, y) {
  for (let o = 0, w = 0, to = 0; o < bias.length; o++, to += LANES) {
    const start = bias[o];
    let y0 = start;
    let y1 = start;
    let y2 = start;
    let y3 = start;
    let y4 = start;
    let y5 = start;
    let y6 = start;
    let y7 = start;
    for (let from = 0; from < x.length; from += LANES) {
      const factor = weight[w++];
      y0 += factor * x[from];
      y1 += factor * x[from + 1];
      y2 += factor * x[from + 2];
      y3 += factor * x[from + 3];
      y4 += factor * x[from + 4];
      y5 += factor * x[from + 5];
      y6 += factor * x[from + 6];
      y7 += factor * x[from + 7];
    }
    y[to] = y0;
    y[to + 1] = y1;
    y[to + 2] = y2;
    y[to + 3] = y3;
    y[to + 4] = y4;
    y[to + 5] = y5;
    y[to + 6] = y6;
    y[to + 7] = y7;
  }
}

function transposed(weight, rows, columns) {
  const turned = new Float32Array(weight.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) turned[j * rows + i] = weight[i * columns + j];
  }
  return turned;
}

// Each layer maps lanes forward, and slopes by its outputs back to those by its inputs.
const LAYERS = {
  linear({ weight, bias }, inputs) {
    const outputs = bias.length;
    const back = transposed(weight, outputs, inputs);
    const none = new Float32Array(inputs);
    const [y, slopes] = [outputs, inputs].map((n) => new Float32Array(LANES * n));
    return {
      size: outputs,
      forward(x) {
        linear(weight, bias, x, y);
        return y;
      },
      backward(given) {
        linear(back, none, given, slopes);
        return slopes;
      },
    };
  },
  relu(_, size) {
    const [y, slopes] = [0, 1].map(() => new Float32Array(LANES * size));
    return {
      size,
      forward(x) {
        for (let i = 0; i < x.length; i++) y[i] = x[i] > 0 ? x[i] : 0;
        return y;
      },
      backward(given) {
        for (let i = 0; i < given.length; i++) slopes[i] = y[i] > 0 ? given[i] : 0;
        return slopes;
      },
    };
  },
};

export class Bound {
  constructor(decoder, { roots, masses }) {
    Object.assign(this, { roots, masses });
    this.layers = [];
    let { input: size } = decoder;
    for (const { given } of decoder.layers) {
      if (given.op === "reshape") continue;
      this.layers.push(LAYERS[given.op](given, size));
      ({ size } = this.layers.at(-1));
    }
    this.z = new Float32Array(2 * LANES);
    this.errors = new Float32Array(LANES * size);
    this.fits = new Float64Array(LANES);
  }

  // ELBO and slopes by mu and log sigma, [4]; it yields after each eighth of the work.
  *of(image, { mu, sigma }) {
    const slopes = [0, 0, 0, 0];
    let fit = 0;
    for (let row = 0; row < LANES; row++) {
      const [e1, mass] = [this.roots[row], this.masses[row]];
      this.z.fill(mu[0] + sigma[0] * e1, 0, LANES);
      this.roots.forEach((e2, k) => (this.z[LANES + k] = mu[1] + sigma[1] * e2));
      const g = this.slopes(image);
      for (let k = 0; k < LANES; k++) {
        const weight = mass * this.masses[k];
        fit += weight * this.fits[k];
        slopes[0] += weight * g[k];
        slopes[1] += weight * g[LANES + k];
        slopes[2] += weight * g[k] * e1 * sigma[0];
        slopes[3] += weight * g[LANES + k] * this.roots[k] * sigma[1];
      }
      yield;
    }
    let elbo = fit;
    for (const j of [0, 1]) {
      elbo -= klToPrior(mu[j], sigma[j]);
      slopes[j] -= mu[j];
      slopes[2 + j] -= sigma[j] ** 2 - 1;
    }
    return { elbo, slopes };
  }

  // log p(x|z) of the lanes into `fits`; the slopes by z.
  slopes(image) {
    const { errors, fits, layers } = this;
    const logits = layers.reduce((x, layer) => layer.forward(x), this.z);
    fits.fill(0);
    for (let i = 0, at = 0; i < image.length; i++) {
      const pixel = image[i];
      for (let k = 0; k < LANES; k++, at++) {
        const logit = logits[at];
        const small = Math.exp(-Math.abs(logit));
        fits[k] += pixel * logit - (logit > 0 ? logit : 0) - Math.log1p(small);
        errors[at] = pixel - (logit > 0 ? 1 : small) / (1 + small);
      }
    }
    return layers.reduceRight((given, layer) => layer.backward(given), errors);
  }
}

// Adam, from a q on; means move in units of the widths of the encoder's.
export class Climb {
  constructor(unit, q) {
    Object.assign(this, { unit, q, steps: 0, way: [q.mu] });
    this.momentum = [0, 0, 0, 0];
    this.square = [0, 0, 0, 0];
  }

  // Move along the slopes at the present q.
  move(slopes) {
    this.steps += 1;
    const moves = slopes.map((given, j) => {
      const slope = j < 2 ? this.unit[j] * given : given;
      this.momentum[j] = FIRST * this.momentum[j] + (1 - FIRST) * slope;
      this.square[j] = SECOND * this.square[j] + (1 - SECOND) * slope * slope;
      const mean = this.momentum[j] / (1 - FIRST ** this.steps);
      const spread = this.square[j] / (1 - SECOND ** this.steps);
      return (RATE * mean) / (Math.sqrt(spread) + TINY);
    });
    const { mu, sigma } = this.q;
    this.q = {
      mu: mu.map((value, j) => value + this.unit[j] * moves[j]),
      sigma: sigma.map((value, j) => value * Math.exp(moves[2 + j])),
    };
    this.way.push(this.q.mu);
  }
}
