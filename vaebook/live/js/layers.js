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

function conv({ weight, bias, kernel, stride, padding }, [channels, height, width]) {
  const out = bias.length;
  const h = Math.floor((height + 2 * padding - kernel) / stride) + 1;
  const w = Math.floor((width + 2 * padding - kernel) / stride) + 1;
  const y = new Float32Array(out * h * w);
  const at = (x, o, r, c) => {
    let sum = bias[o];
    for (let i = 0; i < channels; i++) {
      for (let a = 0; a < kernel; a++) {
        const row = r * stride + a - padding;
        if (row < 0 || row >= height) continue;
        for (let b = 0; b < kernel; b++) {
          const column = c * stride + b - padding;
          if (column < 0 || column >= width) continue;
          const value = x[(i * height + row) * width + column];
          sum += weight[((o * channels + i) * kernel + a) * kernel + b] * value;
        }
      }
    }
    return sum;
  };
  const run = (x) => {
    for (let o = 0, j = 0; o < out; o++) {
      for (let r = 0; r < h; r++) for (let c = 0; c < w; c++) y[j++] = at(x, o, r, c);
    }
    return y;
  };
  return { shape: [out, h, w], run };
}

function convTranspose({ weight, bias, kernel, stride, padding }, [channels, height, width]) {
  const out = bias.length;
  const h = (height - 1) * stride - 2 * padding + kernel;
  const w = (width - 1) * stride - 2 * padding + kernel;
  const y = new Float32Array(out * h * w);
  // Add what one pixel of one input channel gives to all that it reaches.
  const spread = (value, i, r, c) => {
    for (let o = 0; o < out; o++) {
      for (let a = 0; a < kernel; a++) {
        const row = r * stride + a - padding;
        if (row < 0 || row >= h) continue;
        for (let b = 0; b < kernel; b++) {
          const column = c * stride + b - padding;
          if (column < 0 || column >= w) continue;
          const factor = weight[((i * out + o) * kernel + a) * kernel + b];
          y[(o * h + row) * w + column] += value * factor;
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
  const h = Math.floor(height / kernel);
  const w = Math.floor(width / kernel);
  const y = new Float32Array(channels * h * w);
  const highest = (x, first) => {
    let top = -Infinity;
    for (let a = 0; a < kernel; a++) {
      for (let b = 0; b < kernel; b++) top = Math.max(top, x[first + a * width + b]);
    }
    return top;
  };
  const run = (x) => {
    for (let i = 0, j = 0; i < channels; i++) {
      for (let r = 0; r < h; r++) {
        for (let c = 0; c < w; c++) {
          y[j++] = highest(x, (i * height + r * kernel) * width + c * kernel);
        }
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
  reshape: ({ shape }) => ({ shape, run: (x) => x }),
};
