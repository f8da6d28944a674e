// A plane of coloured points that move: the codes of a model that learns.

import { make } from "./elements.js";

const DOT = 2.3; // CSS pixels
const EASE = 0.3; // of the way to where a point is going, per picture
const FONT = "system-ui, sans-serif";

// A canvas that is as large as it is shown, and knows its size without asking.
export class Sheet {
  constructor(properties, resized) {
    this.node = make("canvas", { role: "img", ...properties });
    this.context = this.node.getContext("2d");
    this.scale = Math.min(Math.max(globalThis.devicePixelRatio || 1, 1.5), 2);
    [this.width, this.height] = [0, 0];
    new ResizeObserver(([{ contentRect }]) => {
      [this.width, this.height] = [contentRect.width, contentRect.height];
      this.node.width = Math.round(this.scale * this.width);
      this.node.height = Math.round(this.scale * this.height);
      resized();
    }).observe(this.node);
  }

  // Clear it, and return its context in CSS pixels.
  open() {
    this.context.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    this.context.clearRect(0, 0, this.width, this.height);
    return this.context;
  }
}

// The pixels of a dot.
function stamp(colour, scale) {
  const side = Math.ceil(2 * (DOT + 1) * scale);
  const context = make("canvas", { width: side, height: side }).getContext("2d");
  context.fillStyle = colour;
  context.arc(side / 2, side / 2, DOT * scale, 0, 2 * Math.PI);
  context.fill();
  return { side, pixels: new Uint32Array(context.getImageData(0, 0, side, side).data.buffer) };
}

// Push labels apart that lie on each other.
function spread(places, distance) {
  for (let turn = 0; turn < 8; turn++) {
    for (let i = 0; i < places.length; i++) {
      for (let j = 0; j < i; j++) {
        const [dx, dy] = [places[i][0] - places[j][0], places[i][1] - places[j][1]];
        const apart = Math.hypot(dx, dy);
        if (apart >= distance) continue;
        // Labels in one place leave it in different directions.
        const [ux, uy] = apart > 0.5 ? [dx / apart, dy / apart] : [Math.cos(i), Math.sin(i)];
        const push = (distance - apart) / 2;
        places[i] = [places[i][0] + push * ux, places[i][1] + push * uy];
        places[j] = [places[j][0] - push * ux, places[j][1] - push * uy];
      }
    }
  }
  return places;
}

export class Plane {
  // Codes [N, stride], of which the first two numbers are drawn, and the class of each.
  constructor({ codes, stride, labels, names, colours, resized }) {
    Object.assign(this, { codes, stride, labels, names });
    this.n = labels.length;
    this.sheet = new Sheet({ className: "vaebook-live-plane" }, resized);
    this.stamps = names.map((_, k) => stamp(colours[k % colours.length], this.sheet.scale));
    this.shown = new Float32Array(2 * this.n);
    this.sums = names.map(() => [0, 0, 0]);
    this.extent = 3;
  }

  // Half the side of the square that is shown: three standard deviations of the prior, or of the
  // codes where they go further.
  get goal() {
    let square = 0;
    for (let i = 0; i < this.n; i++) {
      for (let j = 0; j < 2; j++) square += this.codes[i * this.stride + j] ** 2;
    }
    return 3 * Math.max(1, Math.sqrt(square / (2 * this.n)));
  }

  // Bring the points nearer to their codes, or there. True when nothing moves any more.
  move(ease = EASE) {
    let rest = Math.abs(this.goal - this.extent);
    this.extent += ease * (this.goal - this.extent);
    for (let i = 0; i < this.n; i++) {
      for (let j = 0; j < 2; j++) {
        const way = this.codes[i * this.stride + j] - this.shown[2 * i + j];
        this.shown[2 * i + j] += ease * way;
        rest = Math.max(rest, Math.abs(way));
      }
    }
    return rest < 0.003 * this.extent;
  }

  place(x, y) {
    const { width, height } = this.sheet;
    const unit = width / (2 * this.extent);
    return [width / 2 + unit * x, height / 2 - unit * y];
  }

  // What lies at a place on the sheet.
  at(left, top) {
    const { width, height } = this.sheet;
    const unit = width / (2 * this.extent);
    return [(left - width / 2) / unit, (height / 2 - top) / unit];
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

  draw({ ink, ground }, chosen, noisy) {
    const context = this.sheet.open();
    if (!this.sheet.width) return;
    this.drawPoints(context);
    this.drawPrior(context, ink);
    this.drawChosen(context, chosen, noisy, { ink, ground });
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
    for (const sum of this.sums) sum.fill(0);
    const { side } = this.stamps[0];
    const unit = width / (2 * this.extent);
    for (let i = 0; i < this.n; i++) {
      const [x, y, sum] = [this.shown[2 * i], this.shown[2 * i + 1], this.sums[this.labels[i]]];
      sum[0] += x;
      sum[1] += y;
      sum[2] += 1;
      const left = Math.round((width - side) / 2 + unit * x);
      const top = Math.round((height - side) / 2 - unit * y);
      const inside = left >= 0 && top >= 0 && left + side <= width && top + side <= height;
      if (inside) this.press(this.stamps[this.labels[i]].pixels, left + top * width, width);
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

  drawPrior(context, ink) {
    const [x, y] = this.place(0, 0);
    Object.assign(context, { strokeStyle: ink, fillStyle: ink, lineWidth: 1, globalAlpha: 0.28 });
    context.globalCompositeOperation = "destination-over";
    for (const radius of [1, 2, 3]) {
      context.beginPath();
      context.arc(x, y, x * (radius / this.extent), 0, 2 * Math.PI);
      context.stroke();
    }
    Object.assign(context, { globalAlpha: 1, globalCompositeOperation: "source-over" });
  }

  // The point of an image, and one and two standard deviations of q(z|x) where z is drawn from it.
  drawChosen(context, i, noisy, { ink, ground }) {
    const [x, y] = this.place(this.shown[2 * i], this.shown[2 * i + 1]);
    const unit = this.sheet.width / (2 * this.extent);
    const deviation = (j) => unit * Math.exp(this.codes[i * this.stride + 2 + j] / 2);
    const rings = noisy ? [1, 2].map((k) => [k * deviation(0), k * deviation(1)]) : [];
    for (const [strokeStyle, lineWidth] of [
      [ground, 4],
      [ink, 1.5],
    ]) {
      Object.assign(context, { strokeStyle, lineWidth });
      for (const [across, down] of [[5, 5], ...rings]) {
        context.beginPath();
        context.ellipse(x, y, across, down, 0, 0, 2 * Math.PI);
        context.stroke();
      }
    }
  }

  drawNames(context, { ink, ground }) {
    const places = this.sums.map(([x, y, n]) => this.place(x / (n || 1), y / (n || 1)));
    Object.assign(context, { font: `600 15px ${FONT}`, textAlign: "center", lineJoin: "round" });
    Object.assign(context, { textBaseline: "middle", strokeStyle: ground, fillStyle: ink });
    context.lineWidth = 4;
    spread(places, 19).forEach(([x, y], k) => {
      if (!this.sums[k][2]) return;
      context.strokeText(this.names[k], x, y);
      context.fillText(this.names[k], x, y);
    });
  }
}
