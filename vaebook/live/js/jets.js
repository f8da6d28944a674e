// A decoder of three latents with its exact derivative: each number is four, its value and its
// slopes along the three latents, which share every weight that is read.

const LANES = 4;

function linear({ weight, bias }) {
  const y = new Float32Array(LANES * bias.length);
  return (x) => {
    for (let o = 0, w = 0, to = 0; o < bias.length; o++, to += LANES) {
      let y0 = bias[o];
      let y1 = 0;
      let y2 = 0;
      let y3 = 0;
      for (let from = 0; from < x.length; from += LANES) {
        const factor = weight[w++];
        y0 += factor * x[from];
        y1 += factor * x[from + 1];
        y2 += factor * x[from + 2];
        y3 += factor * x[from + 3];
      }
      y[to] = y0;
      y[to + 1] = y1;
      y[to + 2] = y2;
      y[to + 3] = y3;
    }
    return y;
  };
}

// The taps of a kernel at each place along an axis that stay within n pixels.
const taps = (places, n, kernel, stride, padding) =>
  Array.from({ length: places }, (_, place) => {
    const first = place * stride - padding;
    return { first, from: Math.max(0, -first), to: Math.min(kernel, n - first) };
  });

function convTranspose({ weight, bias, kernel, stride, padding }, [out, ...sides], taken) {
  const [h, w] = sides;
  const [high, wide] = kernel;
  const channels = weight.length / (out * high * wide);
  const [rows, columns] = [0, 1].map((k) =>
    taps(taken[k + 1], sides[k], kernel[k], stride[k], padding[k]),
  );
  const y = new Float32Array(LANES * out * h * w);
  // Add what one pixel of one input channel gives to all that it reaches.
  const spread = (x, at, i, row, column) => {
    const [x0, x1, x2, x3] = [x[at], x[at + 1], x[at + 2], x[at + 3]];
    for (let o = 0; o < out; o++) {
      for (let a = row.from; a < row.to; a++) {
        let tap = ((i * out + o) * high + a) * wide + column.from;
        let to = LANES * ((o * h + row.first + a) * w + column.first + column.from);
        for (let b = column.from; b < column.to; b++, to += LANES) {
          const factor = weight[tap++];
          y[to] += factor * x0;
          y[to + 1] += factor * x1;
          y[to + 2] += factor * x2;
          y[to + 3] += factor * x3;
        }
      }
    }
  };
  return (x) => {
    y.fill(0);
    for (let i = 0; i < y.length; i += LANES) y[i] = bias[Math.floor(i / (LANES * h * w))];
    for (let i = 0, at = 0; i < channels; i++) {
      for (const row of rows) {
        for (const column of columns) {
          if (x[at] || x[at + 1] || x[at + 2] || x[at + 3]) spread(x, at, i, row, column);
          at += LANES;
        }
      }
    }
    return y;
  };
}

function relu(x) {
  const y = x.slice();
  for (let i = 0; i < y.length; i += LANES) if (y[i] <= 0) y.fill(0, i, i + LANES);
  return y;
}

function sigmoid(x) {
  const y = x.slice();
  for (let i = 0; i < y.length; i += LANES) {
    y[i] = 1 / (1 + Math.exp(-x[i]));
    for (let k = 1; k < LANES; k++) y[i + k] *= y[i] * (1 - y[i]);
  }
  return y;
}

const LAYERS = {
  linear,
  conv_transpose: convTranspose,
  relu: () => relu,
  reshape: () => (x) => x,
};

// From a code to the decoded image and its derivative, [pixels, 4].
export function jetsOf(decoder) {
  let { input: shape } = decoder;
  if (shape !== LANES - 1) throw new Error("the decoder must take three numbers");
  const layers = decoder.layers.map(({ given, shape: next }) => {
    if (!(given.op in LAYERS)) throw new Error(`a "${given.op}" layer has no derivative here`);
    const layer = LAYERS[given.op](given, next, shape);
    shape = next;
    return layer;
  });
  if (decoder.mean === "sigmoid") layers.push(sigmoid);
  const start = Float32Array.of(0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1);
  return (z) => {
    for (let j = 0; j < LANES - 1; j++) start[LANES * j] = z[j];
    return layers.reduce((x, layer) => layer(x), start).slice();
  };
}
