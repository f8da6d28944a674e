// A square [-extent, extent]² of latent space with coloured points: the codes of images.

import { group } from "./elements.js";
import { FONT, Sheet, rings, spread, word } from "./sheet.js";
import { stampOf } from "./stamp.js";

const FREE = 26; // CSS pixels of what names leave free, a handle or a small ring

// The middle of a line of words that begins at x and goes to one side, behind all that is taken.
export function beside(x, y, wide, taken) {
  const way = Math.sign(wide);
  const touches = ([u, v]) =>
    Math.abs(u - x - wide / 2) < (Math.abs(wide) + FREE) / 2 && Math.abs(v - y) < 10 + FREE / 2;
  for (let turn = 0; turn < taken.length; turn++) {
    const place = taken.find(touches);
    if (!place) break;
    x = place[0] + (way * FREE) / 2;
  }
  return x + wide / 2;
}

// Names step aside for the places in `free`.
export class Plane {
  // Codes [N, stride], of which the first two numbers are drawn, and the class of each.
  constructor({ names, colours, extent, axes, resized, ...points }) {
    Object.assign(this, { names, extent, axes });
    this.sheet = new Sheet("vaebook-live-points", resized);
    this.node = group("plane", this.sheet.node);
    this.free = [];
    this.stamps = colours.map((colour) => stampOf(colour, this.sheet.scale));
    this.load(points);
  }

  load({ codes, stride = 2, labels }) {
    Object.assign(this, { codes, stride, labels, n: labels.length });
    this.kinds = Uint8Array.from(labels, (label) => label % this.stamps.length);
    const number = (_, i) => codes[(i >> 1) * stride + (i & 1)];
    this.shown = Float32Array.from({ length: 2 * this.n }, number);
  }

  describe(words) {
    this.sheet.node.setAttribute("aria-label", words);
  }

  // Pixels of a unit.
  get unit() {
    return this.sheet.width / (2 * this.extent);
  }

  place([x, y]) {
    const { width, height } = this.sheet;
    return [width / 2 + this.unit * x, height / 2 - this.unit * y];
  }

  // What lies at a place on the sheet.
  at(left, top) {
    const { width, height } = this.sheet;
    return [(left - width / 2) / this.unit, (height / 2 - top) / this.unit];
  }

  // The image whose point is nearest.
  nearest(x, y) {
    let [best, least] = [0, Infinity];
    for (let i = 0; i < this.n; i++) {
      const far = (this.shown[2 * i] - x) ** 2 + (this.shown[2 * i + 1] - y) ** 2;
      if (far < least) [best, least] = [i, far];
    }
    return best;
  }

  // From the ground up: what is decoded, the prior, the codes, what a figure draws over them, names.
  draw({ ink, ground }, over, under = []) {
    const context = this.sheet.open();
    if (!this.sheet.width) return;
    this.drawPoints(context);
    context.globalCompositeOperation = "destination-over";
    this.drawPrior(context, ink);
    for (const layer of under) layer.draw(context, this, ink);
    context.globalCompositeOperation = "source-over";
    over?.(context);
    this.drawNames(context, { ink, ground });
  }

  // Dots are stamped pixel by pixel: a picture of two thousand costs less than as many commands.
  drawPoints(context) {
    const { width, height } = this.sheet.node;
    if (this.picture?.width !== width || this.picture.height !== height) {
      this.picture = context.createImageData(width, height);
      this.pixels = new Uint32Array(this.picture.data.buffer);
    }
    this.pixels.fill(0);
    const { side } = this.stamps[0];
    const unit = width / (2 * this.extent);
    for (let i = 0; i < this.n; i++) {
      const left = Math.round((width - side) / 2 + unit * this.shown[2 * i]);
      const top = Math.round((height - side) / 2 - unit * this.shown[2 * i + 1]);
      const inside = left >= 0 && top >= 0 && left + side <= width && top + side <= height;
      if (inside) this.press(this.stamps[this.kinds[i]].pixels, left + top * width, width);
    }
    context.putImageData(this.picture, 0, 0);
  }

  // Edges, which are fainter, don't cover what is there.
  press(stamped, corner, width) {
    const { side } = this.stamps[0];
    const { pixels } = this;
    for (let row = 0, from = 0; row < side; row++) {
      let to = corner + row * width;
      for (let column = 0; column < side; column++, from++, to++) {
        if (stamped[from] >>> 24 > pixels[to] >>> 25) pixels[to] = stamped[from];
      }
    }
  }

  // One, two and three standard deviations.
  drawPrior(context, ink) {
    const [x, y] = this.place([0, 0]);
    Object.assign(context, { strokeStyle: ink, lineWidth: 1, globalAlpha: 0.28 });
    for (const radius of [1, 2, 3]) {
      context.beginPath();
      context.arc(x, y, this.unit * radius, 0, 2 * Math.PI);
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  // Where the names stand: in the middle of what is shown of each class.
  get centres() {
    const sums = this.names.map(() => [0, 0, 0]);
    for (let i = 0; i < this.n; i++) {
      const sum = sums[this.labels[i]];
      sum[0] += this.shown[2 * i];
      sum[1] += this.shown[2 * i + 1];
      sum[2] += 1;
    }
    return sums.map(([x, y, n]) => n && [x / n, y / n]);
  }

  // Names of axes stand in corners, on the ground of the page, and step along the edge where
  // something lies that names leave free.
  drawAxes(context, { ink, ground }) {
    Object.assign(context, { font: `13px ${FONT}`, textAlign: "center", textBaseline: "middle" });
    const { width, height } = this.sheet;
    const taken = this.free.map((place) => this.place(place));
    for (const [text, start, y, way] of [
      [`${this.axes[0]} →`, width - 2, height - 12, -1],
      [`↑ ${this.axes[1]}`, 2, 12, 1],
    ]) {
      const wide = context.measureText(text).width + 8;
      const x = beside(start, y, way * wide, taken);
      Object.assign(context, { fillStyle: ground, globalAlpha: 0.8 });
      context.fillRect(x - wide / 2, y - 10, wide, 20);
      context.globalAlpha = 1;
      word(context, text, [x, y], ink, ground);
    }
  }

  drawNames(context, { ink, ground }) {
    if (this.axes) this.drawAxes(context, { ink, ground });
    Object.assign(context, { font: `600 15px ${FONT}`, textAlign: "center" });
    context.textBaseline = "middle";
    if (!this.names.length) return;
    const { centres } = this;
    const there = this.names.map((_, k) => k).filter((k) => centres[k]);
    const places = spread(
      [...there.map((k) => centres[k]), ...this.free].map((centre) => this.place(centre)),
      [
        ...there.map((k) => [context.measureText(this.names[k]).width + 14, 24]),
        ...this.free.map(() => [FREE, FREE]),
      ],
      this.free.length,
    );
    there.forEach((k, i) => word(context, this.names[k], places[i], ink, ground));
  }

  // One and two standard deviations of q(z|x).
  drawDeviations(context, mean, deviations, ink, ground) {
    const radii = [1, 2].map((k) => deviations.map((deviation) => k * this.unit * deviation));
    rings(context, this.place(mean), radii, ink, ground, 2);
  }
}
