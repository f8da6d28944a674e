// A square of the plane about a place, in which places are told from -1 to 1: the posterior there
// as a shade, and Gaussians as ellipses.

import { make } from "./elements.js";
import { Pad } from "./pad.js";
import { FONT, rings, stroke, word } from "./sheet.js";

const SIGMAS = 2; // at which an ellipse is drawn
const NONE = { codes: [], labels: [], names: [], colours: ["#808080"] };

export class Outlook extends Pad {
  constructor(given) {
    super({ ...NONE, extent: 1, axes: ["z₁", "z₂"], ...given });
  }

  look({ encoder, half, shade }) {
    Object.assign(this, { middle: encoder.mu, half });
    const side = Math.sqrt(shade.length);
    this.shade = make("canvas", { width: side, height: side });
    const context = this.shade.getContext("2d");
    const picture = context.createImageData(side, side);
    shade.forEach((level, i) => (picture.data[4 * i + 3] = level));
    context.putImageData(picture, 0, 0);
    this.inked = null;
  }

  flat(z) {
    return z.map((value, j) => (value - this.middle[j]) / this.half);
  }

  deep(u) {
    return u.map((value, j) => this.middle[j] + this.half * value);
  }

  // There are no codes to stamp.
  drawPoints() {}

  // The prior is wider than what is seen; the posterior is drawn in its place.
  drawPrior(context, ink) {
    if (!this.shade) return;
    const { width, height } = this.sheet;
    if (this.inked !== ink) {
      this.inked = ink;
      const shade = this.shade.getContext("2d");
      Object.assign(shade, { globalCompositeOperation: "source-in", fillStyle: ink });
      shade.fillRect(0, 0, this.shade.width, this.shade.height);
    }
    context.globalAlpha = 0.75;
    context.drawImage(this.shade, 0, 0, width, height);
    context.globalAlpha = 1;
  }

  drawEllipse(context, { mu, sigma }, { ink, ground }, dash) {
    const radii = sigma.map((value) => (SIGMAS * value * this.unit) / this.half);
    rings(context, this.place(this.flat(mu)), [radii], ink, ground, 2, dash);
  }

  drawWay(context, way, { ink, ground }) {
    const line = way.map((z) => this.place(this.flat(z)));
    stroke(context, line, ground, 4);
    stroke(context, line, ink, 1.5);
  }

  // How long a part of a unit is here.
  drawScale(context, { ink, ground }) {
    const long = [1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01].find((part) => part < 0.6 * this.half);
    const { height } = this.sheet;
    const line = [
      [10, height - 10],
      [10 + (long * this.unit) / this.half, height - 10],
    ];
    stroke(context, line, ink, 2);
    Object.assign(context, { font: `12px ${FONT}`, textAlign: "left", textBaseline: "bottom" });
    word(context, String(long), [10, height - 14], ink, ground);
  }
}
