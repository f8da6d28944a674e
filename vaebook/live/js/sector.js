// The sector between two heatmaps, unrolled: distances on paper are distances among heatmaps.

import { drag, thumbnail } from "./canvas.js";
import { Cone, factorsOf } from "./cone.js";
import { number } from "./elements.js";
import { HEATMAP } from "./heatmaps.js";
import { FONT, Sheet, rings, stroke, word } from "./sheet.js";

const GRIP = 40; // CSS pixels about an end
const PICTURE = 44; // CSS pixels
const [SIDE, HEAD, FOOT] = [72, 66, 30]; // CSS pixels left for the pictures and for words
const AWAY = 32; // from a place to the middle of its picture
const TURNS = 8; // frames in which the sector rights itself

export class Sector {
  // Once an end is dragged, `change` is called with its number and its new factors.
  constructor({ change, resized }) {
    this.sheet = new Sheet("vaebook-live-sector", resized);
    this.change = change;
    this.view = null;
    const begin = (event) => {
      const [left, top] = this.sheet.under(event);
      const far = this.handles.map(([x, y]) => Math.hypot(left - x, top - y));
      const which = far[0] < far[1] ? 0 : 1;
      if (far[which] > GRIP) return;
      const { one, two } = this.cone;
      const ends = [one, two].map(factorsOf);
      // Seen from the end that stays.
      const seen = which ? new Cone(...ends) : new Cone(ends[1], ends[0]);
      this.held = { which, seen, view: this.view, ray: this.rays[1 - which] };
    };
    const follow = (event) => {
      if (!this.held) return;
      const { which, seen, view, ray } = this.held;
      const [left, top] = this.sheet.under(event);
      const [x, y] = [(left - this.apex[0]) / view.unit, (this.apex[1] - top) / view.unit];
      const angle = (which ? 1 : -1) * (ray - Math.atan2(y, x));
      const r = Math.max(Math.hypot(x, y), 0.1);
      this.change(which, factorsOf(seen.at(r, Math.max(angle, 0))));
    };
    drag(this.sheet.node, follow, begin);
    const release = () => {
      if (!this.held) return;
      this.held = null;
      this.righting = TURNS;
      resized();
    };
    for (const done of ["pointerup", "pointercancel"]) {
      this.sheet.node.addEventListener(done, release);
    }
  }

  show(cone, images, middle) {
    this.cone = cone;
    this.pictures = [...images, middle].map((image) => thumbnail(image, HEATMAP));
  }

  get apex() {
    return [this.sheet.width / 2, this.sheet.height - FOOT - this.view.lift];
  }

  // Scale, turn and lift with which the whole sector is seen, upright and in the middle.
  get fitting() {
    const { width, height } = this.sheet;
    const { angle, radii } = this.cone;
    const broad = Math.max(...radii) * Math.sin(Math.min(angle, Math.PI) / 2);
    const across = (width / 2 - SIDE) / Math.max(broad, 1e-3);
    const room = height - FOOT - HEAD;
    const tall = Math.max(...radii);
    const unit = Math.min(across, room / tall);
    return { unit, turn: 0, lift: (room - unit * tall) / 2 };
  }

  // While an end is held, the other one and the scale stay; then the sector rights itself.
  settle(calm) {
    const { fitting } = this;
    if (this.held) {
      const { which, ray, view } = this.held;
      const upright = Math.PI / 2 + ((which ? 1 : -1) * this.cone.angle) / 2;
      this.view = { ...view, turn: ray - upright };
    } else if (this.righting && this.view && !calm) {
      const part = 1 / this.righting--;
      for (const key of Object.keys(fitting)) {
        this.view[key] += part * (fitting[key] - this.view[key]);
      }
    } else {
      this.righting = 0;
      this.view = fitting;
    }
    return this.righting > 0;
  }

  // The directions of the ends, from the x axis.
  get rays() {
    const middle = Math.PI / 2 + this.view.turn;
    return [middle + this.cone.angle / 2, middle - this.cone.angle / 2];
  }

  place(r, angle) {
    const direction = this.rays[0] - angle;
    const [x, y] = this.apex;
    const { unit } = this.view;
    return [x + unit * r * Math.cos(direction), y - unit * r * Math.sin(direction)];
  }

  get handles() {
    const { radii, angle } = this.cone;
    return [this.place(radii[0], 0), this.place(radii[1], angle)];
  }

  draw({ ink, ground }, share) {
    const context = this.sheet.open();
    if (!this.sheet.width) return;
    const { radii, angle } = this.cone;
    const { apex, handles } = this;
    this.drawGround(context, ink);
    for (const end of handles) stroke(context, [apex, end], ink, 1);
    stroke(context, handles, ink, 2.5);
    const [r, turned] = this.cone.polar(0.5);
    const below = r * this.view.unit > 2 * AWAY + 24;
    this.drawPicture(context, 2, r, turned, below ? -AWAY : AWAY);
    this.drawPicture(context, 0, radii[0], 0, AWAY);
    this.drawPicture(context, 1, radii[1], angle, AWAY);
    for (const end of handles) rings(context, end, [[7, 7]], ink, ground, 3);
    this.drawNames(context, { ink, ground });
    rings(context, this.place(...this.cone.polar(share)), [[3, 3]], ink, ground, 3);
    Object.assign(context, { font: `12px ${FONT}`, textAlign: "center", textBaseline: "top" });
    const words = `the black image; ${number((angle * 180) / Math.PI, 0)}° between A and B`;
    word(context, words, [apex[0], apex[1] + 10], ink, ground);
    rings(context, apex, [[2, 2]], ink, ground, 2);
  }

  // Beside the pictures, on the outer side.
  drawNames(context, { ink, ground }) {
    const { radii, angle } = this.cone;
    Object.assign(context, { font: `600 15px ${FONT}`, textBaseline: "middle" });
    [0, angle].forEach((turned, k) => {
      const [x, y] = this.place(radii[k] + AWAY / this.view.unit, turned);
      context.textAlign = k ? "left" : "right";
      word(context, "AB"[k], [x + (k ? 1 : -1) * (PICTURE / 2 + 6), y], ink, ground);
    });
  }

  // Circles of equal norm, every five pixels.
  drawGround(context, ink) {
    const [start, end] = this.rays.map((ray) => -ray);
    const [x, y] = this.apex;
    const reach = this.view.unit * Math.max(...this.cone.radii);
    context.globalAlpha = 0.07;
    context.fillStyle = ink;
    context.beginPath();
    context.moveTo(x, y);
    context.arc(x, y, reach, start, end);
    context.fill();
    Object.assign(context, { globalAlpha: 0.35, strokeStyle: ink, lineWidth: 1 });
    const step = (5 * 6) / 35; // five pixels
    for (let r = step; r * this.view.unit < reach + 1; r += step) {
      context.beginPath();
      context.arc(x, y, r * this.view.unit, start, end);
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  drawPicture(context, which, r, angle, away) {
    const [x, y] = this.place(r + away / this.view.unit, angle);
    const half = PICTURE / 2;
    context.imageSmoothingEnabled = false;
    context.drawImage(this.pictures[which], x - half, y - half, PICTURE, PICTURE);
  }
}
