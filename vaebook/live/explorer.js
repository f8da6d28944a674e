// The book's live figures: custom elements that run a model in the reader's browser.
// One file for the rendered page (inside a script element, so that it works from a disk too)
// and for live notebooks (as the module of an anywidget). No dependency, no build step.

// ---------------------------------------------------------------------------------------------
// Models

const BYTES = { float16: 2, int8: 1 };

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 31) throw new Error("a weight is not finite");
  return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -24 * fraction;
}

// Weights as float32: half-precision numbers, or integers with one scale a row.
function tensor({ shape, dtype, offset }, view) {
  const n = shape.reduce((a, b) => a * b, 1), rows = shape[0], width = n / rows;
  const scales = dtype === "int8" ? 4 * rows : 0;
  if (!(dtype in BYTES) || offset + scales + n * BYTES[dtype] > view.byteLength) {
    throw new Error(`the weights end before a tensor of ${n} ${dtype} numbers`);
  }
  const values = new Float32Array(n);
  for (let row = 0; row < rows; row++) {
    const scale = scales ? view.getFloat32(offset + 4 * row, true) : 1;
    for (let i = row * width; i < (row + 1) * width; i++) {
      values[i] = scales ? scale * view.getInt8(offset + scales + i)
                         : half(view.getUint16(offset + 2 * i, true));
    }
  }
  return values;
}

// Each layer maps an array of a known shape to an array of a known shape.
const LAYERS = {
  linear({ weight, bias }, [inputs]) {
    const outputs = bias.length, y = new Float32Array(outputs);
    return { shape: [outputs], run(x) {
      for (let o = 0, w = 0; o < outputs; o++) {
        let sum = bias[o];
        for (let i = 0; i < inputs; i++) sum += weight[w++] * x[i];
        y[o] = sum;
      }
      return y;
    } };
  },
  conv({ weight, bias, kernel, stride, padding }, [channels, height, width]) {
    const out = bias.length;
    const h = Math.floor((height + 2 * padding - kernel) / stride) + 1;
    const w = Math.floor((width + 2 * padding - kernel) / stride) + 1;
    const y = new Float32Array(out * h * w);
    return { shape: [out, h, w], run(x) {
      for (let o = 0; o < out; o++) for (let r = 0; r < h; r++) for (let c = 0; c < w; c++) {
        let sum = bias[o];
        for (let i = 0; i < channels; i++) for (let a = 0; a < kernel; a++) {
          const row = r * stride + a - padding;
          if (row < 0 || row >= height) continue;
          for (let b = 0; b < kernel; b++) {
            const column = c * stride + b - padding;
            if (column < 0 || column >= width) continue;
            sum += weight[((o * channels + i) * kernel + a) * kernel + b]
              * x[(i * height + row) * width + column];
          }
        }
        y[(o * h + r) * w + c] = sum;
      }
      return y;
    } };
  },
  conv_transpose({ weight, bias, kernel, stride, padding }, [channels, height, width]) {
    const out = bias.length;
    const h = (height - 1) * stride - 2 * padding + kernel;
    const w = (width - 1) * stride - 2 * padding + kernel;
    const y = new Float32Array(out * h * w);
    return { shape: [out, h, w], run(x) {
      for (let o = 0; o < out; o++) y.fill(bias[o], o * h * w, (o + 1) * h * w);
      for (let i = 0; i < channels; i++) for (let r = 0; r < height; r++) {
        for (let c = 0; c < width; c++) {
          const value = x[(i * height + r) * width + c];
          if (value === 0) continue;
          for (let o = 0; o < out; o++) for (let a = 0; a < kernel; a++) {
            const row = r * stride + a - padding;
            if (row < 0 || row >= h) continue;
            for (let b = 0; b < kernel; b++) {
              const column = c * stride + b - padding;
              if (column < 0 || column >= w) continue;
              y[(o * h + row) * w + column] +=
                value * weight[((i * out + o) * kernel + a) * kernel + b];
            }
          }
        }
      }
      return y;
    } };
  },
  max_pool({ kernel }, [channels, height, width]) {
    const h = Math.floor(height / kernel), w = Math.floor(width / kernel);
    const y = new Float32Array(channels * h * w);
    return { shape: [channels, h, w], run(x) {
      for (let i = 0; i < channels; i++) for (let r = 0; r < h; r++) for (let c = 0; c < w; c++) {
        let top = -Infinity;
        for (let a = 0; a < kernel; a++) for (let b = 0; b < kernel; b++) {
          top = Math.max(top, x[(i * height + r * kernel + a) * width + c * kernel + b]);
        }
        y[(i * h + r) * w + c] = top;
      }
      return y;
    } };
  },
  relu: (_, shape) => ({ shape, run: (x) => x.map((value) => Math.max(value, 0)) }),
  reshape: ({ shape }) => ({ shape, run: (x) => x }),
};

const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const count = (shape) => shape.reduce((a, b) => a * b, 1);

class Network {
  constructor({ input, layers, data, mean }) {
    const bytes = bytesOf(data), view = new DataView(bytes.buffer);
    this.input = count(input);
    this.mean = mean;
    let shape = input;
    this.layers = layers.map((spec) => {
      if (!(spec.op in LAYERS)) throw new Error(`there is no layer "${spec.op}"`);
      const given = { ...spec };
      for (const name of ["weight", "bias"]) {
        if (spec[name]) given[name] = tensor(spec[name], view);
      }
      if (given.weight) {
        const fan = spec.op === "linear" ? shape[0] * given.bias.length
          : shape[0] * given.bias.length * spec.kernel ** 2;
        if (given.weight.length !== fan || (spec.op === "linear") !== (shape.length === 1)) {
          throw new Error(`a ${spec.op} layer does not fit an input of ${shape}`);
        }
      }
      if (spec.op === "reshape" && count(spec.shape) !== count(shape)) {
        throw new Error(`${shape} can not be reshaped to ${spec.shape}`);
      }
      const layer = LAYERS[spec.op](given, shape);
      shape = layer.shape;
      return layer;
    });
    this.output = shape;
  }

  run(x) {
    if (x.length !== this.input) throw new Error(`the model takes ${this.input} numbers`);
    for (const layer of this.layers) x = layer.run(x);
    return x;
  }

  // A decoder's image: the mean of its likelihood.
  decode(z) {
    const outputs = this.run(z);
    return this.mean === "sigmoid" ? outputs.map(sigmoid) : outputs;
  }

  // log p(x|z) of Bernoulli pixels, nats.
  logLikelihood(image, z) {
    const logits = this.run(z);
    let sum = 0;
    for (let i = 0; i < logits.length; i++) sum += image[i] * logits[i] - softplus(logits[i]);
    return sum;
  }
}

// Shared by all copies of this script: elements are defined by the first, models brought by any.
const networks = globalThis.vaebook?.networks ?? new Map();

// A model stands once on the page, in a script element of its own.
function network(name) {
  if (!networks.has(name)) {
    const script = document.getElementById(`vaebook-model-${name}`);
    if (!script) throw new Error(`the model ${name} is not on this page: run the notebook again`);
    networks.set(name, new Network(JSON.parse(script.textContent)));
  }
  return networks.get(name);
}

// ---------------------------------------------------------------------------------------------
// What all figures share

const STYLE = `
.vaebook-live { color: var(--pst-color-text-base, inherit); display: grid; gap: 0.75rem; margin-inline: auto; max-width: 700px; text-align: start; }
.vaebook-live-stage { align-items: start; display: flex; flex-wrap: wrap; gap: 0.75rem 1.25rem; justify-content: center; }
.vaebook-live-stage > * { min-width: 0; }
.vaebook-live canvas, .vaebook-live-static img { max-width: 100%; }
.vaebook-live-view { height: 168px; image-rendering: pixelated; width: 168px; }
.vaebook-live-pad { background-size: 100% 100%; border: 1px solid var(--pst-color-border, #8888); cursor: crosshair; flex: 1 1 260px; max-width: 420px; aspect-ratio: 1; position: relative; touch-action: none; user-select: none; }
.vaebook-live-handle { border: 3px solid var(--pst-color-text-base, currentColor); border-radius: 50%; box-shadow: 0 0 0 2px var(--pst-color-background, Canvas); height: 18px; margin: -9px; pointer-events: none; position: absolute; width: 18px; }
.vaebook-live-dials { display: grid; gap: 0.15rem 1.5rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr)); }
.vaebook-live-dial { align-items: center; display: flex; gap: 0.6rem; margin: 0; }
.vaebook-live-dial input { accent-color: var(--pst-color-primary, #4177dc); flex: 1; min-width: 5rem; min-height: 24px; }
.vaebook-live-dial output { font-variant-numeric: tabular-nums; min-width: 3.2em; text-align: end; }
.vaebook-live-bar { align-items: center; display: flex; flex-wrap: wrap; gap: 0.5rem 0.75rem; }
.vaebook-live-bar button { background: none; border: 1px solid var(--pst-color-border, #888); border-radius: 4px; color: inherit; font: inherit; min-height: 32px; padding: 0.1rem 0.8rem; }
.vaebook-live-bar button:hover { background: var(--pst-color-surface, #8882); }
.vaebook-live-facts { display: grid; gap: 0 1.25rem; grid-template-columns: auto auto; font-variant-numeric: tabular-nums; justify-content: start; }
.vaebook-live .vaebook-live-facts { margin: 0 !important; }
.vaebook-live .vaebook-live-facts dt { font-weight: normal; margin: 0; text-align: start; }
.vaebook-live .vaebook-live-facts dd { margin: 0; text-align: end; }
.vaebook-live .vaebook-live-note { color: var(--pst-color-text-muted, inherit); font-size: 0.9rem; margin: 0; }
.vaebook-live-error { border-inline-start: 3px solid var(--pst-color-danger, #b00); padding-inline-start: 0.75rem; }
@media screen { .vaebook-is-live > .vaebook-live-static { display: none; } }
@media print { .vaebook-is-live > .vaebook-live { display: none; } }
`;

function dress() {
  if (document.getElementById("vaebook-live-style")) return;
  document.head.append(make("style", { id: "vaebook-live-style", textContent: STYLE }));
}

function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in node && name !== "role") node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

const number = (value, digits = 2) => value.toFixed(digits).replace("-", "−");

// A named range input with its value behind it.
function dial({ name, min, max, step, value, words = number, change }) {
  const output = make("output");
  const input = make("input", { type: "range", min, max, step });
  const label = make("label", { className: "vaebook-live-dial" });
  label.append(make("span", { innerHTML: name }), input, output);
  const show = (current) => {
    input.value = current;
    output.textContent = words(current);
    input.setAttribute("aria-valuetext", words(current));
  };
  input.addEventListener("input", () => { show(+input.value); change(+input.value); });
  show(value);
  return { label, show };
}

function button(text, action) {
  const node = make("button", { type: "button", textContent: text });
  node.addEventListener("click", action);
  return node;
}

// Grey values in [0, 1] as a picture, 0 black.
function paint(canvas, pixels, [height, width]) {
  if (canvas.width !== width) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d"), image = context.createImageData(width, height);
  for (let i = 0; i < pixels.length; i++) {
    const grey = 255 * Math.min(Math.max(pixels[i], 0), 1);
    image.data.set([grey, grey, grey, 255], 4 * i);
  }
  context.putImageData(image, 0, 0);
}

function view(words) {
  return make("canvas", { className: "vaebook-live-view", role: "img", "aria-label": words });
}

// Follow the pointer from where it goes down to where it is lifted.
function drag(node, follow) {
  node.addEventListener("pointerdown", (event) => {
    node.setPointerCapture(event.pointerId);
    follow(event);
  });
  node.addEventListener("pointermove", (event) => {
    if (node.hasPointerCapture(event.pointerId)) follow(event);
  });
}

// An empty canvas to draw on in CSS pixels.
function fresh(canvas, width, height) {
  const scale = Math.max(globalThis.devicePixelRatio || 1, 2);
  Object.assign(canvas, { width: width * scale, height: height * scale });
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  return context;
}

// A square [-extent, extent]² with a cloud on it and a handle to drag; the dials do the same for
// the keyboard, so that it is hidden from whom cannot see it.
function pad(cloud, extent, change) {
  const handle = make("div", { className: "vaebook-live-handle" });
  const node = make("div", { className: "vaebook-live-pad", "aria-hidden": "true" }, handle);
  node.style.backgroundImage = `url("${cloud}")`;
  drag(node, (event) => {
    const box = node.getBoundingClientRect();
    const across = (event.clientX - box.left) / box.width;
    const down = (event.clientY - box.top) / box.height;
    const inside = (share) => extent * (2 * Math.min(Math.max(share, 0), 1) - 1);
    change(inside(across), -inside(down));
  });
  const show = (x, y) => {
    handle.style.left = `${50 * (1 + x / extent)}%`;
    handle.style.top = `${50 * (1 - y / extent)}%`;
  };
  // A clear sheet over the cloud, and where a point of the plane lies on it.
  const over = make("canvas");
  Object.assign(over.style, { position: "absolute", inset: 0, width: "100%", height: "100%", pointerEvents: "none" });
  const open = () => {
    if (!over.isConnected) node.append(over);
    const side = node.clientWidth || 300, context = fresh(over, side, side);
    const place = ([x, y]) => [side * (0.5 + 0.5 * x / extent), side * (0.5 - 0.5 * y / extent)];
    return { context, place, side };
  };
  return { node, show, open };
}

class LiveFigure extends HTMLElement {
  connectedCallback() {
    if (this.built) return;
    this.built = true;
    dress();
    const box = make("div", { className: "vaebook-live" });
    try {
      this.config ??= JSON.parse(this.querySelector("script").textContent);
      this.build(box, this.config);
      this.append(box);
      // JupyterLab's shortcuts take the arrow keys and Enter from all that isn't marked thus.
      for (const node of box.querySelectorAll("button, input, select, [tabindex]")) {
        node.setAttribute("data-lm-suppress-shortcuts", "true");
      }
      this.classList.add("vaebook-is-live");
      // What is drawn on a canvas takes its ink from the page, which may change it.
      const again = () => this.redraw?.();
      new MutationObserver(again).observe(document.documentElement, { attributeFilter: ["data-theme"] });
      again();
      this.dispatchEvent(new CustomEvent("vaebook-live"));
    } catch (error) {
      this.append(make("p", { className: "vaebook-live-error", role: "alert",
        textContent: `This figure could not be brought to life: ${error.message}.` }));
    }
  }

  // Tell a live notebook where the reader is, in the seven digits that float32 has.
  report(z) {
    this.told = Array.from(z, (value) => +value.toPrecision(7));
    this.dispatchEvent(new CustomEvent("vaebook-z", { detail: this.told }));
  }

  get ink() {
    return getComputedStyle(this.querySelector(".vaebook-live") ?? this).color;
  }

  cloud() {
    return this.config.cloud ?? this.querySelector("[data-part=cloud]").src;
  }
}

// ---------------------------------------------------------------------------------------------
// The latent map: a point in latent space, and what is decoded there

class LatentMap extends LiveFigure {
  build(box, { model, start, order, extent }) {
    this.network = network(model);
    if (start.length !== this.network.input) throw new Error("the start has another dimension");
    this.z = Float32Array.from(start);
    this.canvas = view("");
    const stage = make("div", { className: "vaebook-live-stage" });
    if (start.length === 2) {
      this.pad = pad(this.cloud(), extent, (x, y) => this.move([x, y]));
      stage.append(this.pad.node);
    }
    stage.append(this.canvas);
    this.dials = order.map((j) => dial({
      name: `z<sub>${j + 1}</sub>`, min: -extent, max: extent, step: 0.05, value: start[j],
      change: (value) => this.move(this.z.with(j, value)),
    }));
    const dials = make("div", { className: "vaebook-live-dials" });
    dials.append(...this.dials.map(({ label }) => label));
    const bar = make("div", { className: "vaebook-live-bar" });
    bar.append(button("back to the start", () => this.move(start)));
    box.append(stage, dials, bar);
    this.order = order;
    this.move(start);
  }

  move(z) {
    this.z = Float32Array.from(z);
    const pixels = this.network.decode(this.z);
    paint(this.canvas, pixels, this.network.output.slice(-2));
    this.canvas.setAttribute("aria-label", `Image decoded at z = (${[...this.z].map((v) => number(v)).join(", ")})`);
    this.order.forEach((j, i) => this.dials[i].show(this.z[j]));
    this.pad?.show(...this.z);
    this.report(this.z);
  }
}

// ---------------------------------------------------------------------------------------------
// Chains: pCN and a random walk on the posterior of one image

// Uniform numbers from a seed (mulberry32) and normal ones from them (Box and Muller).
class Random {
  constructor(seed) { this.state = seed >>> 0; }
  uniform() {
    let t = (this.state = (this.state + 0x6d2b79f5) >>> 0);
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296;
  }
  normal() {
    return Math.sqrt(-2 * Math.log(this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }
}

// Both propose from N(shrink · z, step²) and accept by what that leaves of the ratio.
const KERNELS = {
  pCN: { shrink: (step) => Math.sqrt(1 - step * step), target: (logL) => logL },
  "random walk": { shrink: () => 1,
    target: (logL, z) => logL - 0.5 * z.reduce((sum, value) => sum + value * value, 0) },
};

class Chain {
  constructor(kind, logLikelihood, start, seed) {
    Object.assign(this, { kind, logLikelihood, random: new Random(seed), steps: 0, accepted: 0 });
    this.z = Float32Array.from(start);
    this.logL = logLikelihood(this.z);
    this.path = [this.z];
    this.trace = [this.logL];
  }
  advance(step) {
    const { shrink, target } = KERNELS[this.kind];
    const c = shrink(step), there = this.z.map((value) => c * value + step * this.random.normal());
    const logL = this.logLikelihood(there);
    if (Math.log(this.random.uniform()) < target(logL, there) - target(this.logL, this.z)) {
      this.z = there;
      this.logL = logL;
      this.accepted += 1;
    }
    this.steps += 1;
    this.path.push(this.z);
    this.trace.push(this.logL);
    if (this.path.length > 400) { this.path.shift(); this.trace.shift(); }
  }
}

const INKS = ["#4177dc", "#d28015"];

// A canvas as wide as it is shown, in units of CSS pixels.
function sheet(words, height) {
  const node = make("canvas", { role: "img", "aria-label": words });
  Object.assign(node.style, { width: "100%", height: `${height}px`, display: "block" });
  const open = () => {
    const width = node.clientWidth || 600;
    return { context: fresh(node, width, height), width, height };
  };
  return { node, open };
}

function stroke(context, points, colour, width = 1.5, dash = []) {
  context.beginPath();
  points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
  Object.assign(context, { strokeStyle: colour, lineWidth: width });
  context.setLineDash(dash);
  context.stroke();
}

function facts(rows) {
  const list = make("dl", { className: "vaebook-live-facts" });
  const cells = rows.map(([name, colour]) => {
    const term = make("dt", { textContent: name }), value = make("dd");
    if (colour) Object.assign(term.style, { borderInlineStart: `4px solid ${colour}`, paddingInlineStart: "0.5rem" });
    list.append(term, value);
    return value;
  });
  return { list, show: (values) => cells.forEach((cell, i) => { cell.textContent = values[i]; }) };
}

class Chains extends LiveFigure {
  build(box, { model, image, start, extent, step, seed }) {
    this.network = network(model);
    this.image = Float32Array.from(bytesOf(image), (grey) => grey / 255);
    this.step = step;
    this.seed = seed;
    this.pad = pad(this.cloud(), extent, (x, y) => this.restart([x, y]));
    this.seen = view("the observed image");
    this.drawn = view("");
    paint(this.seen, this.image, this.network.output.slice(-2));
    const stage = make("div", { className: "vaebook-live-stage" });
    const pictures = make("div", { className: "vaebook-live-facts" });
    const caption = (text) => make("span", { className: "vaebook-live-note", textContent: text });
    pictures.append(this.seen, this.drawn, caption("observed"), caption("decoded, pCN"));
    stage.append(this.pad.node, pictures);
    this.facts = facts([["pCN accepted", INKS[0]], ["random walk accepted", INKS[1]], ["steps"]]);
    this.trace = sheet("", 140);
    // The step on a logarithmic dial.
    const size = dial({ name: "step", min: -3, max: 0, step: 0.05, value: Math.log10(step),
      words: (value) => number(10 ** value, 3),
      change: (value) => { this.step = 10 ** value; this.restart(); } });
    this.run = button("run", () => this.toggle());
    const bar = make("div", { className: "vaebook-live-bar" });
    bar.append(this.run, button("500 steps", () => { this.advance(500); this.show(); }),
      button("start again", () => this.restart()));
    const status = make("div", { role: "status" }, this.facts.list);
    box.append(stage, size.label, bar, status, this.trace.node,
      make("p", { className: "vaebook-live-note", textContent: "log p(x|z) over the last 400 steps. Drag the circle, or move it with the two dials, to start elsewhere." }));
    this.places = ["z<sub>1</sub>", "z<sub>2</sub>"].map((name, j) => dial({ name: `start ${name}`,
      min: -extent, max: extent, step: 0.05, value: start[j],
      change: (value) => this.restart(this.start.with(j, value)) }));
    const places = make("div", { className: "vaebook-live-dials" });
    places.append(...this.places.map(({ label }) => label));
    bar.before(places);
    this.extent = extent;
    this.calm = globalThis.matchMedia?.("(prefers-reduced-motion: reduce)").matches;
    this.restart(start);
    new ResizeObserver(() => this.show()).observe(this.trace.node);
  }

  redraw() { this.show(); }

  // A live notebook reads and sets where the chains start.
  move(start) { this.restart(start); }

  restart(start = this.start) {
    this.start = Array.from(start);
    this.z = Float32Array.from(start);
    const logLikelihood = (z) => this.network.logLikelihood(this.image, z);
    this.chains = Object.keys(KERNELS).map((kind, i) =>
      new Chain(kind, logLikelihood, this.start, this.seed + i));
    this.places.forEach(({ show }, j) => show(this.start[j]));
    this.pad.show(...this.start);
    this.show();
    this.report(this.z);
  }

  advance(n) {
    for (let i = 0; i < n; i++) for (const chain of this.chains) chain.advance(this.step);
  }

  toggle() {
    this.running = !this.running;
    this.run.textContent = this.running ? "pause" : "run";
    // Who asked for less motion sees a new picture once a second.
    let last = 0;
    const frame = (now) => {
      if (!this.running || !this.isConnected) return;
      if (!this.calm || now - last > 1000) {
        this.advance(this.calm ? 100 : 3);
        this.show();
        last = now;
      }
      requestAnimationFrame(frame);
    };
    if (this.running) requestAnimationFrame(frame);
  }

  show() {
    const [pcn] = this.chains, { context, width, height } = this.trace.open();
    paint(this.drawn, this.network.decode(pcn.z), this.network.output.slice(-2));
    this.drawn.setAttribute("aria-label", `Image decoded where pCN is, z = (${[...pcn.z].map((v) => number(v)).join(", ")})`);
    const rate = ({ accepted, steps }) => (steps ? `${number(100 * accepted / steps, 0)} %` : "–");
    this.facts.show([...this.chains.map(rate), String(pcn.steps)]);
    const levels = this.chains.flatMap(({ trace }) => trace);
    const top = Math.max(...levels), bottom = Math.min(...levels, top - 1);
    const across = (i) => 4 + (width - 88) * i / 400, down = (v) => 8 + (height - 16) * (top - v) / (top - bottom);
    this.chains.forEach(({ trace }, k) => stroke(context, trace.map((v, i) => [across(i), down(v)]), INKS[k]));
    context.fillStyle = this.ink;
    context.font = "12px system-ui, sans-serif";
    context.textAlign = "end";
    if (pcn.steps) {
      context.fillText(`${number(top, 1)} nats`, width - 4, 12);
      context.fillText(`${number(bottom, 1)} nats`, width - 4, height - 6);
    }
    this.trace.node.setAttribute("aria-label", `Traces of log p(x|z) between ${number(bottom, 1)} and ${number(top, 1)} nats`);
    const { context: plane, place } = this.pad.open();
    [1, 0].forEach((k) => {
      const path = this.chains[k].path.map(place);
      stroke(plane, path, "#fff", 3.5);
      stroke(plane, path, INKS[k], 1.8);
    });
  }
}

// ---------------------------------------------------------------------------------------------
// The ELBO bench: one datum, one latent dimension, q(z) = N(mu, sigma²) in the reader's hand

const GRID = Float64Array.from({ length: 2401 }, (_, i) => -6 + i / 200);
const LOG_2PI = Math.log(2 * Math.PI);
const logNormal = (x, mean, sigma) => -0.5 * (((x - mean) / sigma) ** 2 + LOG_2PI) - Math.log(sigma);
// The functions vanish at both ends of the grid, where the trapezoidal rule is all but exact.
const integral = (f) => f.reduce((sum, value) => sum + value, 0) / 200;
const DECODERS = { "straight: g(z) = z": (z) => z, "bent: g(z) = (z² + z)/2": (z) => (z * z + z) / 2 };

function elboTerms({ g, x, noise }, mu, sigma) {
  const logLikelihood = (z) => logNormal(x, g(z), noise);
  const joint = GRID.map((z) => Math.exp(logLikelihood(z) + logNormal(z, 0, 1)));
  const evidence = Math.log(integral(joint));
  // In units of q, so that a narrow q is not lost between the points of the grid.
  const reconstruction = integral(GRID.map((e) => Math.exp(logNormal(e, 0, 1)) * logLikelihood(mu + sigma * e)));
  const kl = 0.5 * (mu * mu + sigma * sigma - 1) - Math.log(sigma);
  return { reconstruction, kl, elbo: reconstruction - kl, evidence, gap: evidence - reconstruction + kl,
    posterior: joint.map((value) => value / Math.exp(evidence)) };
}

// The nearest maximum of the ELBO, by a compass search in mu and log sigma.
function bestQ(model, mu, sigma) {
  let here = [mu, Math.log(sigma)], size = 0.5;
  const value = ([m, s]) => elboTerms(model, m, Math.exp(s)).elbo;
  let top = value(here);
  while (size > 1e-4) {
    const steps = [[size, 0], [-size, 0], [0, size], [0, -size]];
    const better = steps.map(([a, b]) => [here[0] + a, here[1] + b])
      .map((there) => [value(there), there]).find(([found]) => found > top);
    if (better) [top, here] = better;
    else size /= 2;
  }
  return [here[0], Math.exp(here[1])];
}

class ElboBench extends LiveFigure {
  build(box, { x, noise, mu, sigma }) {
    this.model = { g: Object.values(DECODERS)[0], x, noise };
    this.plot = sheet("", 240);
    this.plot.node.style.touchAction = "pan-y";
    const name = make("select", { ariaLabel: "decoder" });
    name.setAttribute("aria-label", "decoder");
    name.append(...Object.keys(DECODERS).map((text) => make("option", { textContent: text })));
    name.addEventListener("change", () => { this.model.g = DECODERS[name.value]; this.move([this.mu, this.sigma]); });
    const bar = make("div", { className: "vaebook-live-bar" });
    bar.append(name, button("nearest best q", () => this.move(bestQ(this.model, this.mu, this.sigma))));
    this.dials = {
      x: dial({ name: "datum x", min: -3, max: 3, step: 0.05, value: x, change: (v) => { this.model.x = v; this.move([this.mu, this.sigma]); } }),
      mu: dial({ name: "μ of q", min: -3, max: 3, step: 0.01, value: mu, change: (v) => this.move([v, this.sigma]) }),
      sigma: dial({ name: "σ of q", min: 0.05, max: 2, step: 0.01, value: sigma, change: (v) => this.move([this.mu, v]) }),
    };
    const dials = make("div", { className: "vaebook-live-dials" });
    dials.append(...Object.values(this.dials).map(({ label }) => label));
    this.facts = facts([["E log p(x|z)"], ["− KL(q ‖ prior)"], ["= ELBO", INKS[0]], ["log p(x)"], ["gap = KL(q ‖ posterior)", INKS[1]]]);
    box.append(this.plot.node, dials, bar, make("div", { role: "status" }, this.facts.list),
      make("p", { className: "vaebook-live-note", textContent: "Filled: the exact posterior p(z|x). Blue: q. Dashed: the prior. Drag across the picture to move q, all in nats." }));
    drag(this.plot.node, (event) => {
      const frame = this.plot.node.getBoundingClientRect();
      const z = 8 * (event.clientX - frame.left) / frame.width - 4;
      this.move([Math.min(Math.max(z, -3), 3), this.sigma]);
    });
    this.move([mu, sigma]);
    new ResizeObserver(() => this.redraw()).observe(this.plot.node);
  }

  redraw() { this.move([this.mu, this.sigma]); }

  move([mu, sigma]) {
    Object.assign(this, { mu, sigma, z: Float32Array.of(mu, sigma) });
    const terms = elboTerms(this.model, mu, sigma);
    const { reconstruction, kl, elbo, evidence, gap } = terms;
    this.facts.show([reconstruction, -kl, elbo, evidence, gap].map((v) => number(Math.abs(v) < 0.0005 ? 0 : v, 3)));
    this.dials.x.show(this.model.x);
    this.dials.mu.show(mu);
    this.dials.sigma.show(sigma);
    const { context, width, height } = this.plot.open();
    const q = GRID.map((z) => Math.exp(logNormal(z, mu, sigma)));
    const prior = GRID.map((z) => Math.exp(logNormal(z, 0, 1)));
    const tall = Math.max(...terms.posterior, 0.6);
    const curve = (f) => Array.from(f, (v, i) => [width * (GRID[i] + 4) / 8, height - 18 - (height - 26) * Math.min(v / tall, 1.2)]);
    const outline = curve(terms.posterior);
    context.beginPath();
    context.moveTo(0, height - 18);
    outline.forEach(([a, b]) => context.lineTo(a, b));
    context.lineTo(width, height - 18);
    Object.assign(context, { fillStyle: INKS[1], globalAlpha: 0.35 });
    context.fill();
    context.globalAlpha = 1;
    stroke(context, curve(prior), "#808080", 1.5, [5, 4]);
    stroke(context, curve(q), INKS[0], 2.5);
    context.fillStyle = this.ink;
    context.font = "12px system-ui, sans-serif";
    context.textAlign = "center";
    for (let z = -3; z <= 3; z++) context.fillText(String(z).replace("-", "−"), width * (z + 4) / 8, height - 4);
    this.plot.node.setAttribute("aria-label", `q with mean ${number(mu)} and standard deviation ${number(sigma)} beside the exact posterior; gap ${number(gap, 3)} nats`);
    this.report([mu, sigma]);
  }
}

// ---------------------------------------------------------------------------------------------
// Draw a digit: framed as MNIST frames its own, encoded, and redrawn

const EASEL = 280; // pixels a side of what is drawn on

// The smallest box around the ink, shrunk into 20 × 20 by averaging areas, its centre of mass put
// into the middle of 28 × 28. Null where there is no ink.
function frame(ink, side) {
  let [left, right, top, bottom] = [side, -1, side, -1];
  for (let r = 0; r < side; r++) for (let c = 0; c < side; c++) if (ink[r * side + c] > 0.02) {
    left = Math.min(left, c); right = Math.max(right, c);
    top = Math.min(top, r); bottom = Math.max(bottom, r);
  }
  if (right < 0) return null;
  const size = Math.max(right - left, bottom - top) + 1, cell = size / 20;
  const high = Math.max(1, Math.round((bottom - top + 1) / cell));
  const wide = Math.max(1, Math.round((right - left + 1) / cell));
  const down = (bottom - top + 1) / high, across = (right - left + 1) / wide;
  const small = new Float32Array(high * wide);
  // The share of pixel i that lies between a and b.
  const share = (i, a, b) => Math.max(0, Math.min(i + 1, b) - Math.max(i, a));
  for (let r = 0; r < high; r++) for (let c = 0; c < wide; c++) {
    let sum = 0;
    const [a, b] = [top + r * down, top + (r + 1) * down], [d, e] = [left + c * across, left + (c + 1) * across];
    for (let i = Math.floor(a); i < b && i < side; i++) for (let j = Math.floor(d); j < e && j < side; j++) {
      sum += share(i, a, b) * share(j, d, e) * ink[i * side + j];
    }
    small[r * wide + c] = sum / (down * across);
  }
  let [mass, row, column] = [0, 0, 0];
  small.forEach((value, i) => {
    mass += value;
    row += value * Math.floor(i / wide);
    column += value * (i % wide);
  });
  const shift = (centre, n) => Math.min(Math.max(Math.round(13.5 - centre), 0), 28 - n);
  const [r0, c0] = [shift(row / mass, high), shift(column / mass, wide)];
  const image = new Float32Array(784);
  small.forEach((value, i) => { image[(r0 + Math.floor(i / wide)) * 28 + c0 + (i % wide)] = Math.min(value, 1); });
  return image;
}

class DrawDigit extends LiveFigure {
  build(box, { encoder, decoder, extent, examples }) {
    this.encoder = network(encoder);
    this.decoder = network(decoder);
    this.examples = examples.map((image) => Float32Array.from(bytesOf(image), (grey) => grey / 255));
    this.extent = extent;
    this.pad = pad(this.cloud(), extent, () => {});
    this.pad.node.style.cursor = "default";
    this.pad.node.firstChild.hidden = true; // the ellipses say more than the handle
    this.easel = make("canvas", { width: EASEL, height: EASEL, tabIndex: 0, role: "application",
      "aria-label": "Draw a digit. Arrow keys move the pen, the space bar puts it down or lifts it." });
    Object.assign(this.easel.style, { width: "168px", height: "168px", touchAction: "none", cursor: "crosshair" });
    this.framed = view("");
    this.redrawn = view("");
    const grid = make("div", { className: "vaebook-live-facts" });
    const cell = (canvas, text) => make("div", {}, canvas, make("div", { className: "vaebook-live-note", textContent: text }));
    grid.append(cell(this.easel, "draw here"), cell(this.framed, "framed as MNIST does"), cell(this.redrawn, "decoded at the mean of q(z|x)"));
    const stage = make("div", { className: "vaebook-live-stage" });
    stage.append(this.pad.node, grid);
    const bar = make("div", { className: "vaebook-live-bar" });
    let next = 0;
    bar.append(button("clear", () => this.clear()),
      button("an example", () => this.take(this.examples[next++ % this.examples.length])));
    this.facts = facts([["E log p(x|z)"], ["− KL(q ‖ prior)"], ["= ELBO, nats"]]);
    box.append(stage, bar, make("div", { role: "status" }, this.facts.list),
      make("p", { className: "vaebook-live-note", textContent: "The ellipses hold one and two standard deviations of q(z|x). E is the mean over 64 draws." }));
    this.pen = { x: EASEL / 2, y: EASEL / 4, down: false };
    this.listen();
    this.take(this.examples[next++]);
    new ResizeObserver(() => this.show()).observe(this.pad.node);
  }

  listen() {
    const place = (event) => {
      const edge = this.easel.getBoundingClientRect();
      return [(event.clientX - edge.left) / edge.width * EASEL, (event.clientY - edge.top) / edge.height * EASEL];
    };
    this.easel.addEventListener("pointerdown", (event) => {
      this.easel.setPointerCapture(event.pointerId);
      [this.pen.x, this.pen.y] = place(event);
      this.line(this.pen.x, this.pen.y);
    });
    this.easel.addEventListener("pointermove", (event) => {
      if (this.easel.hasPointerCapture(event.pointerId)) this.line(...place(event));
    });
    const ways = { ArrowLeft: [-8, 0], ArrowRight: [8, 0], ArrowUp: [0, -8], ArrowDown: [0, 8] };
    this.easel.addEventListener("keydown", (event) => {
      if (event.key === " ") this.pen.down = !this.pen.down;
      else if (!(event.key in ways)) return;
      event.preventDefault();
      const [dx, dy] = ways[event.key] ?? [0, 0], inside = (v) => Math.min(Math.max(v, 12), EASEL - 12);
      const [x, y] = [inside(this.pen.x + dx), inside(this.pen.y + dy)];
      if (this.pen.down) this.line(x, y);
      else { Object.assign(this.pen, { x, y }); this.mark(); }
    });
    this.easel.addEventListener("blur", () => { this.pen.down = false; this.look(); });
  }

  // The strokes are kept apart from the easel, where the pen's mark is seen as well.
  get strokes() {
    this.paper ??= make("canvas", { width: EASEL, height: EASEL });
    return this.paper.getContext("2d", { willReadFrequently: true });
  }

  clear() {
    this.strokes.clearRect(0, 0, EASEL, EASEL);
    this.look();
  }

  // What a live notebook asks for is an image: it is drawn, and `z` becomes the code of it.
  move(z) { this.take(this.decoder.decode(Float32Array.from(z))); }

  take(image) {
    const small = make("canvas");
    paint(small, image, [28, 28]);
    this.strokes.clearRect(0, 0, EASEL, EASEL);
    this.strokes.drawImage(small, 0, 0, EASEL, EASEL);
    this.look();
  }

  line(x, y) {
    const context = this.strokes;
    Object.assign(context, { lineWidth: 24, lineCap: "round", strokeStyle: "#fff" });
    context.beginPath();
    context.moveTo(this.pen.x, this.pen.y);
    context.lineTo(x, y);
    context.stroke();
    Object.assign(this.pen, { x, y });
    this.look();
  }

  mark() {
    const context = this.easel.getContext("2d");
    context.fillStyle = "#000";
    context.fillRect(0, 0, EASEL, EASEL);
    context.drawImage(this.strokes.canvas, 0, 0);
    if (document.activeElement !== this.easel) return;
    context.strokeStyle = this.pen.down ? INKS[1] : INKS[0];
    context.lineWidth = 3;
    context.beginPath();
    context.arc(this.pen.x, this.pen.y, 12, 0, 2 * Math.PI);
    context.stroke();
  }

  look() {
    this.mark();
    const { data } = this.strokes.getImageData(0, 0, EASEL, EASEL);
    const ink = Float32Array.from({ length: EASEL ** 2 }, (_, i) => data[4 * i] * data[4 * i + 3] / 65025);
    this.image = frame(ink, EASEL);
    this.show();
  }

  show() {
    if (!this.image) {
      this.facts.show(["–", "–", "–"]);
      this.pad.open();
      for (const canvas of [this.framed, this.redrawn]) paint(canvas, new Float32Array(784), [28, 28]);
      return;
    }
    const code = this.encoder.run(this.image), mu = code.slice(0, 2), sigma = code.slice(2).map((v) => Math.exp(v / 2));
    const random = new Random(0);
    let reconstruction = 0;
    for (let i = 0; i < 64; i++) {
      reconstruction += this.decoder.logLikelihood(this.image, mu.map((m, j) => m + sigma[j] * random.normal())) / 64;
    }
    const kl = mu.reduce((sum, m, j) => sum + 0.5 * (m * m + sigma[j] ** 2 - 1) - Math.log(sigma[j]), 0);
    this.facts.show([reconstruction, -kl, reconstruction - kl].map((v) => number(v, 1)));
    paint(this.framed, this.image, [28, 28]);
    paint(this.redrawn, this.decoder.decode(mu), [28, 28]);
    this.framed.setAttribute("aria-label", "the drawing in MNIST's frame");
    this.redrawn.setAttribute("aria-label", `Image decoded at the mean of q, (${[...mu].map((v) => number(v)).join(", ")})`);
    const { context, place, side } = this.pad.open(), [x, y] = place(mu), unit = side / (2 * this.extent);
    for (const k of [1, 2]) for (const [colour, width] of [["#fff", 4], ["#b00020", 2]]) {
      context.beginPath();
      context.ellipse(x, y, k * sigma[0] * unit, k * sigma[1] * unit, 0, 0, 2 * Math.PI);
      Object.assign(context, { strokeStyle: colour, lineWidth: width });
      context.stroke();
    }
    this.z = mu;
    this.report(mu);
  }
}

// ---------------------------------------------------------------------------------------------
// The twin panel: one cursor, two decoders of heatmaps, and how valid is what they draw

const SIDE = 36, EXTENT = 3;
const BASIS = Array.from({ length: SIDE ** 2 }, (_, i) => {
  const axis = (k) => EXTENT * (2 * k / (SIDE - 1) - 1), x = axis(i % SIDE), y = axis(Math.floor(i / SIDE));
  return [x * x, x * y, y * y];
});
const REACH = [[Math.log(0.01), Math.log(50)], [Math.log(0.01), Math.log(50)], [-Math.atanh(0.995), Math.atanh(0.995)]];

// The precision's coefficients at t = (log s1, log s2, atanh rho), and their derivatives.
function precision([a, b, t]) {
  const [first, second, mixed] = [Math.exp(-a), Math.exp(-b), Math.exp(-(a + b) / 2)];
  const [cosh2, sinh, cosh] = [Math.cosh(t) ** 2, Math.sinh(2 * t), Math.cosh(2 * t)];
  const p = [first * cosh2, -mixed * sinh, second * cosh2];
  return { p, slope: [[-p[0], 0, first * sinh], [-p[1] / 2, -p[1] / 2, -2 * mixed * cosh], [0, -p[2], second * sinh]] };
}

// A heatmap and, for Gauss and Newton, J'J and J'r against an image.
function heatmapAgainst(image, theta) {
  const { p, slope } = precision(theta);
  const squared = BASIS.map(([a, b, c]) => p[0] * a + p[1] * b + p[2] * c);
  let least = 0;
  squared.forEach((value, i) => { if (value < squared[least]) least = i; });
  const gram = [[0, 0, 0], [0, 0, 0], [0, 0, 0]], pull = [0, 0, 0];
  let cost = 0, norm = 0;
  for (let i = 0; i < image.length; i++) {
    const h = Math.exp(-0.5 * (squared[i] - squared[least])), rest = h - image[i];
    const row = [0, 0, 0];
    for (let k = 0; k < 3; k++) {
      const d = -0.5 * h * (BASIS[i][k] - BASIS[least][k]);
      for (let j = 0; j < 3; j++) row[j] += d * slope[k][j];
    }
    for (let j = 0; j < 3; j++) {
      pull[j] += row[j] * rest;
      for (let k = 0; k < 3; k++) gram[j][k] += row[j] * row[k];
    }
    cost += rest * rest;
    norm += h * h;
  }
  return { cost, norm, gram, pull };
}

function solve3(m, v) {
  const det = (a) => a[0][0] * (a[1][1] * a[2][2] - a[1][2] * a[2][1]) - a[0][1] * (a[1][0] * a[2][2] - a[1][2] * a[2][0])
    + a[0][2] * (a[1][0] * a[2][1] - a[1][1] * a[2][0]);
  const d = det(m);
  return [0, 1, 2].map((j) => det(m.map((row, i) => row.map((value, k) => (k === j ? v[i] : value)))) / d);
}

// The nearest true heatmap, by Levenberg and Marquardt's method from a few starts.
function fitHeatmap(image) {
  let best = null;
  for (const start of [[0, 0, 0], [-1.5, 1, 0], [1, -1.5, 0], [0.5, 0.5, 1], [0.5, 0.5, -1], [-1, -1, 0]]) {
    let theta = start, here = heatmapAgainst(image, theta), damping = 1e-2;
    for (let step = 0; step < 60 && damping < 1e8; step++) {
      const damped = here.gram.map((row, i) => row.map((value, j) => value * (i === j ? 1 + damping : 1) + (i === j ? 1e-12 : 0)));
      const move = solve3(damped, here.pull);
      const there = theta.map((value, j) => Math.min(Math.max(value - Math.min(Math.max(move[j], -1.5), 1.5), REACH[j][0]), REACH[j][1]));
      const found = heatmapAgainst(image, there);
      if (found.cost <= here.cost) {
        const gain = here.cost - found.cost;
        [theta, here] = [there, found];
        damping /= 5;
        if (gain < 1e-9 * found.cost + 1e-12) break;
      } else damping *= 6;
    }
    if (!best || here.cost < best.cost) best = { theta, cost: here.cost, norm: here.norm };
  }
  const [a, b, t] = best.theta;
  return { varX: Math.exp(a), varY: Math.exp(b), corr: Math.tanh(t), relative: Math.sqrt(best.cost / best.norm) };
}

class Twins extends LiveFigure {
  build(box, { twins, extent, start }) {
    this.twins = twins.map((twin) => ({ ...twin, network: network(twin.model), canvas: view("") }));
    this.pad = pad(this.cloud(), extent, (x, y) => this.move([x, y, this.z[2]]));
    const pictures = make("div", { className: "vaebook-live-facts" });
    pictures.append(...this.twins.map(({ canvas, title }, i) => {
      const caption = make("div", { className: "vaebook-live-note", textContent: title });
      Object.assign(caption.style, { borderInlineStart: `4px solid ${INKS[i]}`, paddingInlineStart: "0.5rem" });
      return make("div", {}, canvas, caption);
    }));
    const stage = make("div", { className: "vaebook-live-stage" });
    stage.append(this.pad.node, pictures);
    this.dials = start.map((value, j) => dial({ name: `u<sub>${j + 1}</sub>`, min: -extent, max: extent,
      step: 0.05, value, change: (v) => this.move(this.z.with(j, v)) }));
    const dials = make("div", { className: "vaebook-live-dials" });
    dials.append(...this.dials.map(({ label }) => label));
    this.facts = facts(this.twins.flatMap(({ title }, i) => [[`${title}: away from any heatmap`, INKS[i]], ["nearest: variances, correlation"]]));
    box.append(stage, dials, make("div", { role: "status" }, this.facts.list),
      make("p", { className: "vaebook-live-note", textContent: "u are the codes of each model along its own axes, in standard deviations. The map shows u₁ and u₂ of both." }));
    this.move(start);
  }

  move(u) {
    this.z = Float32Array.from(u);
    const lines = this.twins.flatMap(({ network: decoder, canvas, title, centre, axes }) => {
      const z = centre.map((c, i) => c + axes[i].reduce((sum, a, j) => sum + a * u[j], 0));
      const image = decoder.decode(Float32Array.from(z));
      paint(canvas, image, decoder.output.slice(-2));
      const { varX, varY, corr, relative } = fitHeatmap(image);
      const share = `${number(100 * relative, 1)} %`;
      canvas.setAttribute("aria-label", `Heatmap decoded by the ${title}, ${share} away from any true one`);
      return [share, `${number(varX)}, ${number(varY)}, ${number(corr)}`];
    });
    this.facts.show(lines);
    this.dials.forEach(({ show }, j) => show(this.z[j]));
    this.pad.show(this.z[0], this.z[1]);
    this.report(this.z);
  }
}

// ---------------------------------------------------------------------------------------------
// The beta dial: models that differ in beta only

class BetaDial extends LiveFigure {
  build(box, { models, codes, axes, clouds, originals, size, extent }) {
    this.networks = models.map(network);
    this.images = originals.map((image) => Float32Array.from(bytesOf(image), (grey) => grey / 255));
    this.pad = pad(clouds[0], extent, (x, y) => this.drag(x, y));
    this.original = view("");
    this.decoded = view("");
    const caption = (text) => make("span", { className: "vaebook-live-note", textContent: text });
    const pictures = make("div", { className: "vaebook-live-facts" });
    pictures.append(this.original, this.decoded, caption("image"), caption("decoded at the circle"));
    const stage = make("div", { className: "vaebook-live-stage" });
    stage.append(this.pad.node, pictures);
    const { betas } = this.config;
    this.dials = [
      dial({ name: "β", min: 0, max: betas.length - 1, step: 1, value: 0, words: (k) => String(betas[k]),
        change: (k) => this.choose(k, this.image) }),
      dial({ name: "image", min: 0, max: originals.length - 1, step: 1, value: 0, words: (i) => String(i + 1),
        change: (i) => this.choose(this.model, i) }),
      ...[0, 1].map((j) => dial({ name: j ? "second most active" : "most active latent", min: -extent, max: extent,
        step: 0.05, value: 0, change: (value) => this.drag(...[0, 1].map((k) => (k === j ? value : this.place[k]))) })),
    ];
    const dials = make("div", { className: "vaebook-live-dials" });
    dials.append(...this.dials.map(({ label }) => label));
    this.facts = facts([["rate, nats"], ["distortion, nats"], [`active units of ${codes[0][0].length}`]]);
    box.append(stage, dials, make("div", { role: "status" }, this.facts.list),
      make("p", { className: "vaebook-live-note", textContent: "The map shows the two most active latents of the model with this β. The circle starts at the code of the image; drag it to see what these two latents do." }));
    Object.assign(this, { axes, clouds, codes, size });
    this.choose(0, 0);
  }

  choose(model, image) {
    Object.assign(this, { model, image, code: Float32Array.from(this.codes[model][image]) });
    const { rates, distortions, active } = this.config;
    this.pad.node.style.backgroundImage = `url("${this.clouds[model]}")`;
    paint(this.original, this.images[image], this.size);
    this.original.setAttribute("aria-label", `image ${image + 1}`);
    this.facts.show([number(rates[model], 1), number(distortions[model], 1), String(active[model])]);
    this.dials[0].show(model);
    this.dials[1].show(image);
    this.drag(...this.axes[model].map((j) => this.code[j]));
  }

  drag(x, y) {
    const [first, second] = this.axes[this.model];
    this.place = [x, y];
    this.code = this.code.with(first, x).with(second, y);
    paint(this.decoded, this.networks[this.model].decode(this.code), this.size);
    this.decoded.setAttribute("aria-label", `decoded with β = ${this.config.betas[this.model]} at ${number(x)}, ${number(y)}`);
    this.dials[2].show(x);
    this.dials[3].show(y);
    this.pad.show(x, y);
    this.z = Float32Array.of(this.model, x, y);
    this.report(this.z);
  }

  // A live notebook sets the number of the model and the place on its map.
  move([which, x, y]) {
    const model = Math.round(which);
    if (model !== this.model) this.choose(model, this.image);
    this.drag(x, y);
  }
}

// ---------------------------------------------------------------------------------------------

const FIGURES = {
  "vaebook-latent-map": LatentMap,
  "vaebook-chains": Chains,
  "vaebook-elbo-bench": ElboBench,
  "vaebook-draw-digit": DrawDigit,
  "vaebook-twins": Twins,
  "vaebook-beta-dial": BetaDial,
};
for (const [tag, figure] of Object.entries(FIGURES)) {
  if (!customElements.get(tag)) customElements.define(tag, figure);
}

// For tests, and for the curious: the networks of this page.
globalThis.vaebook ??= { networks, network, Network, Chain, elboTerms, bestQ, frame, fitHeatmap };

// The module of an anywidget: the same elements, with `z` kept in step with Python.
export default {
  render({ model, el }) {
    for (const [name, spec] of Object.entries(model.get("models"))) {
      if (!networks.has(name)) networks.set(name, new Network(spec));
    }
    const figure = document.createElement(model.get("tag"));
    figure.config = model.get("config");
    const follow = () => {
      const z = model.get("z");
      if (z.length && String(z) !== String(figure.told)) figure.move(z);
    };
    const tell = () => {
      if (String(figure.told) === String(model.get("z"))) return;
      model.set("z", figure.told);
      model.save_changes();
    };
    figure.addEventListener("vaebook-live", () => {
      follow(); // Python may have set it before it was shown
      tell();
      figure.addEventListener("vaebook-z", tell);
      model.on("change:z", follow);
    });
    el.append(figure);
  },
};
