// Networks as Python packs them: layers as JSON, weights in base64.

import { bytesOf, sha256 } from "./bytes.js";
import { LAYERS } from "./layers.js";

const BYTES = { float16: 2, int8: 1 };

const count = (shape) => shape.reduce((a, b) => a * b, 1);
const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

function finite(value) {
  if (!Number.isFinite(value)) throw new Error("a weight is not finite");
  return value;
}

function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return sign * Infinity;
  return exponent
    ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024)
    : sign * 2 ** -24 * fraction;
}

// Weights as float32: half-precision numbers, or integers with one scale per row.
function tensor({ shape, dtype, offset }, view) {
  const n = count(shape);
  const width = n / shape[0];
  const scales = dtype === "int8" ? 4 * shape[0] : 0;
  if (!(dtype in BYTES) || offset + scales + n * BYTES[dtype] > view.byteLength) {
    throw new Error(`the weights end before a tensor of ${n} ${dtype} numbers`);
  }
  if (!scales) {
    return Float32Array.from({ length: n }, (_, i) =>
      finite(half(view.getUint16(offset + 2 * i, true))),
    );
  }
  const values = new Float32Array(n);
  for (let row = 0, i = 0; row < shape[0]; row++) {
    const scale = finite(view.getFloat32(offset + 4 * row, true));
    for (let column = 0; column < width; column++, i++) {
      values[i] = scale * view.getInt8(offset + scales + i);
    }
  }
  return values;
}

function layerFor(spec, shape, view) {
  if (!(spec.op in LAYERS)) throw new Error(`there is no layer "${spec.op}"`);
  if (spec.op === "reshape" && count(spec.shape) !== count(shape)) {
    throw new Error(`${shape} can not be reshaped to ${spec.shape}`);
  }
  if (!spec.weight) return { given: spec, ...LAYERS[spec.op](spec, shape) };
  const given = { ...spec, weight: tensor(spec.weight, view), bias: tensor(spec.bias, view) };
  const flat = spec.op === "linear";
  const fan = shape[0] * given.bias.length * (flat ? 1 : count(spec.kernel));
  if (given.weight.length !== fan || flat !== (shape.length === 1)) {
    throw new Error(`a ${spec.op} layer does not fit an input of ${shape}`);
  }
  return { given, ...LAYERS[spec.op](given, shape) };
}

export class Network {
  constructor({ input, layers, data, mean }) {
    const view = new DataView(bytesOf(data).buffer);
    this.input = count(input);
    this.mean = mean;
    this.output = input;
    this.layers = layers.map((spec) => {
      const layer = layerFor(spec, this.output, view);
      this.output = layer.shape;
      return layer;
    });
  }

  run(x) {
    if (x.length !== this.input) throw new Error(`the model takes ${this.input} numbers`);
    return this.layers.reduce((values, layer) => layer.run(values), x);
  }

  // A decoder's image: the mean of its likelihood.
  decode(z) {
    const outputs = this.run(z);
    return this.mean === "sigmoid" ? outputs.map(sigmoid) : outputs;
  }

  // log p(x|z) of Bernoulli pixels, of those that are seen where not all are; nats.
  logProb(image, z, seen) {
    const term = (logit, i) => (seen && !seen[i] ? 0 : image[i] * logit - softplus(logit));
    return this.run(z).reduce((sum, logit, i) => sum + term(logit, i), 0);
  }
}

// Shared by all copies of this script on a page, which has one for each figure.
export const networks = globalThis.vaebook?.networks ?? new Map();

// The network of a text, which is known by its hash: what was damaged is not drawn.
export function network(hash, text) {
  if (!networks.has(hash)) {
    if (sha256(text) !== hash) throw new Error("the weights of its model are damaged");
    networks.set(hash, new Network(JSON.parse(text)));
  }
  return networks.get(hash);
}

// What is decoded at a place u in axes of one's own, z = centre + axes u.
export function decodeAlong({ decoder, centre, axes }, u) {
  const z = centre.map((c, i) => c + axes[i].reduce((sum, a, j) => sum + a * u[j], 0));
  return decoder.decode(Float32Array.from(z));
}
