// A plane through latent space of three dimensions, with the codes projected onto it, and the
// metric's ellipse: the steps in the plane that change the decoded image by one.

import { Pad } from "./pad.js";
import { FONT, rings, stroke, word } from "./sheet.js";
import { add3, dot3, onto3, unit3 } from "./three.js";

const GREY = "#80808070";
const ROOM = 1.25; // about what must be seen
const LEAST = 0.3; // half of the side, in units of the latents
const STEADY = 0.02; // how much a fixed direction counts beside the bend that leans the plane
const UP = [0.36, 0.48, 0.8];

const rest = (vector, along) => add3(vector, along, -dot3(vector, along));

export class Slice extends Pad {
  // Codes [N, 3].
  constructor({ codes, change, resized }) {
    const n = codes.length / 3;
    super({
      codes: new Float32Array(2 * n),
      labels: new Array(n).fill(0),
      names: [],
      colours: [GREY],
      extent: 1,
      change,
      resized,
    });
    this.places = codes;
  }

  // Lay the plane through two codes, leaning towards a third place, so that all places are seen.
  turn([start, end], third, places) {
    const middle = add3(start, end).map((value) => value / 2);
    const along = add3(end, start, -1);
    const apart = Math.sqrt(dot3(along, along));
    const first = apart > 1e-6 ? unit3(along) : [1, 0, 0];
    const bend = rest(add3(third, middle, -1), first);
    const second = unit3(add3(bend, rest(UP, first), STEADY * Math.max(apart, LEAST)));
    this.frame = { middle, axes: [first, second], half: 1 };
    const far = places.flatMap((z) => this.flat(z).map(Math.abs));
    this.frame.half = Math.max(ROOM * Math.max(...far), LEAST);
    const { shown, places: codes } = this;
    for (let i = 0; i < codes.length / 3; i++) {
      const at = this.flat(codes.subarray(3 * i, 3 * i + 3));
      [shown[2 * i], shown[2 * i + 1]] = at;
    }
  }

  // Where a code is seen, and the code of a place in the plane.
  flat(z) {
    const { middle, axes, half } = this.frame;
    const away = add3(z, middle, -1);
    return axes.map((axis) => dot3(axis, away) / half);
  }

  deep([x, y]) {
    const { middle, axes, half } = this.frame;
    return add3(add3(middle, axes[0], half * x), axes[1], half * y);
  }

  // The steps from a place that change the image by one, for the metric [3, 3] there.
  ellipse(place, metric) {
    const { axes, half } = this.frame;
    const [a, b, c] = [
      [0, 0],
      [0, 1],
      [1, 1],
    ].map(([i, j]) => dot3(axes[i], onto3(metric, axes[j])));
    return Array.from({ length: 73 }, (_, k) => {
      const [cos, sin] = [Math.cos((k * Math.PI) / 36), Math.sin((k * Math.PI) / 36)];
      const squared = a * cos * cos + 2 * b * cos * sin + c * sin * sin;
      const reach = 1 / (half * Math.sqrt(Math.max(squared, 1e-9)));
      return [place[0] + reach * cos, place[1] + reach * sin];
    });
  }

  // The prior's circles belong to another plane.
  drawPrior() {}

  // A line with a rim in the colour of the ground would hide the codes: it is thick instead.
  drawLine(context, places, colour, dash) {
    const seen = places.map((place) => this.place(place));
    stroke(context, seen, colour, 2.5, dash);
  }

  drawDot(context, place, radius, { ink, ground }) {
    rings(context, this.place(place), [[radius, radius]], ink, ground, 3);
  }

  drawEnds(context, ends, { ink, ground }) {
    Object.assign(context, { font: `600 15px ${FONT}`, textBaseline: "middle" });
    ends.forEach((z, k) => {
      const [x, y] = this.place(this.flat(z));
      context.textAlign = k ? "left" : "right";
      rings(context, [x, y], [[5, 5]], ink, ground, 3);
      word(context, "AB"[k], [x + (k ? 12 : -12), y], ink, ground);
    });
  }

  // How long one unit of the latents is here.
  drawScale(context, { ink, ground }) {
    const units = [1, 0.5, 0.2, 0.1].find((length) => length < 0.6 * this.frame.half);
    const { width, height } = this.sheet;
    const long = (units * width) / (2 * this.frame.half);
    Object.assign(context, { font: `12px ${FONT}`, textAlign: "right", textBaseline: "bottom" });
    word(context, `${units}`, [width - 8, height - 10], ink, ground);
    stroke(
      context,
      [
        [width - 8 - long, height - 8],
        [width - 8, height - 8],
      ],
      ink,
      2,
    );
  }
}
