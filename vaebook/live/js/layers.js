// The layers of a network. Each maps an array of a known shape to an array of a known shape.

function linear({ weight, bias }, [inputs]) {
  const outputs = bias.length;
  const y = new Float32Array(outputs);
  const run = (x) => {
    for (let o = 0, w = 0; o < outputs; o++) {
      let sum = bias[o];
      for (let i = 0; i < inputs; i++) sum += weight[w++] * x[i];
      y[o] = sum;
    }
    return y;
  };
  return { shape: [outputs], run };
}

// The size of an axis of n pixels after a convolution.
const shrunk = (n, kernel, stride, padding) => Math.floor((n + 2 * padding - kernel) / stride) + 1;

function conv({ weight, bias, kernel, stride, padding }, [channels, ...sides]) {
  const out = bias.length;
  const [height, width] = sides;
  const [high, wide] = kernel;
  const [h, w] = sides.map((n, k) => shrunk(n, kernel[k], stride[k], padding[k]));
  const y = new Float32Array(out * h * w);
  const at = (x, o, r, c) => {
    const [top, left] = [r * stride[0] - padding[0], c * stride[1] - padding[1]];
    let sum = bias[o];
    for (let i = 0; i < channels; i++) {
      for (let a = 0; a < high; a++) {
        if (top + a < 0 || top + a >= height) continue;
        const row = (i * height + top + a) * width + left;
        const first = ((o * channels + i) * high + a) * wide;
        for (let b = 0; b < wide; b++) {
          if (left + b >= 0 && left + b < width) sum += weight[first + b] * x[row + b];
        }
      }
    }
    return sum;
  };
  const run = (x) => {
    for (let o = 0, j = 0; o < out; o++) {
      for (let r = 0; r < h; r++) {
        for (let c = 0; c < w; c++) y[j++] = at(x, o, r, c);
      }
    }
    return y;
  };
  return { shape: [out, h, w], run };
}

function convTranspose({ weight, bias, kernel, stride, padding }, [channels, ...sides]) {
  const out = bias.length;
  const [height, width] = sides;
  const [high, wide] = kernel;
  const [h, w] = sides.map((n, k) => (n - 1) * stride[k] - 2 * padding[k] + kernel[k]);
  const y = new Float32Array(out * h * w);
  // Add what one pixel of one input channel gives to all that it reaches.
  const spread = (value, i, r, c) => {
    const [top, left] = [r * stride[0] - padding[0], c * stride[1] - padding[1]];
    for (let o = 0; o < out; o++) {
      for (let a = 0; a < high; a++) {
        if (top + a < 0 || top + a >= h) continue;
        const row = (o * h + top + a) * w + left;
        const first = ((i * out + o) * high + a) * wide;
        for (let b = 0; b < wide; b++) {
          if (left + b >= 0 && left + b < w) y[row + b] += value * weight[first + b];
        }
      }
    }
  };
  const run = (x) => {
    for (let o = 0; o < out; o++) y.fill(bias[o], o * h * w, (o + 1) * h * w);
    for (let i = 0, j = 0; i < channels; i++) {
      for (let r = 0; r < height; r++) {
        for (let c = 0; c < width; c++, j++) if (x[j] !== 0) spread(x[j], i, r, c);
      }
    }
    return y;
  };
  return { shape: [out, h, w], run };
}

function maxPool({ kernel }, [channels, height, width]) {
  const [high, wide] = kernel;
  const [h, w] = [Math.floor(height / high), Math.floor(width / wide)];
  const y = new Float32Array(channels * h * w);
  const highest = (x, first) => {
    let top = -Infinity;
    for (let a = 0; a < high; a++) {
      for (let b = 0; b < wide; b++) top = Math.max(top, x[first + a * width + b]);
    }
    return top;
  };
  const run = (x) => {
    for (let i = 0, j = 0; i < channels; i++) {
      for (let r = 0; r < h; r++) {
        const row = (i * height + r * high) * width;
        for (let c = 0; c < w; c++) y[j++] = highest(x, row + c * wide);
      }
    }
    return y;
  };
  return { shape: [channels, h, w], run };
}

export const LAYERS = {
  linear,
  conv,
  conv_transpose: convTranspose,
  max_pool: maxPool,
  relu: (_, shape) => ({ shape, run: (x) => x.map((value) => Math.max(value, 0)) }),
  silu: (_, shape) => ({ shape, run: (x) => x.map((value) => value / (1 + Math.exp(-value))) }),
  reshape: ({ shape }) => ({ shape, run: (x) => x }),
};
