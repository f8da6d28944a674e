// Canvases that are as large as they are shown, and lines on them.

import { make } from "./elements.js";

export const FONT = "system-ui, sans-serif";

// A canvas that knows its size without asking, and calls when it has another.
export class Sheet {
  constructor(className, resized) {
    this.node = make("canvas", { role: "img", className });
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

  // Where a pointer is, in its own pixels: a slide may show it smaller.
  under({ clientX, clientY }) {
    const box = this.node.getBoundingClientRect();
    const scale = this.width / box.width;
    return [scale * (clientX - box.left), scale * (clientY - box.top)];
  }

  // Clear it, and return its context in CSS pixels.
  open() {
    this.context.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    this.context.clearRect(0, 0, this.width, this.height);
    return this.context;
  }
}

export function stroke(context, points, colour, width = 1.5, dash = []) {
  context.beginPath();
  for (const [x, y] of points) context.lineTo(x, y);
  Object.assign(context, { strokeStyle: colour, lineWidth: width, lineJoin: "round" });
  context.setLineDash(dash);
  context.stroke();
  context.setLineDash([]);
}

// Ellipses about a place, with a rim in the colour of the ground.
export function rings(context, [x, y], radii, ink, ground, width = 1.5, dash = []) {
  for (const [strokeStyle, lineWidth, dashes] of [
    [ground, width + 2.5, []],
    [ink, width, dash],
  ]) {
    Object.assign(context, { strokeStyle, lineWidth });
    context.setLineDash(dashes);
    for (const [across, down] of radii) {
      context.beginPath();
      context.ellipse(x, y, across, down, 0, 0, 2 * Math.PI);
      context.stroke();
    }
  }
  context.setLineDash([]);
}

// Words with a rim in the colour of the ground, readable on anything.
export function word(context, text, [x, y], ink, ground) {
  Object.assign(context, { strokeStyle: ground, fillStyle: ink, lineWidth: 4, lineJoin: "round" });
  context.strokeText(text, x, y);
  context.fillText(text, x, y);
}

// Push labels apart that lie on each other, the shorter way; each is as wide and as high as told.
// The last ones, as many as are fixed, stay, and the others leave their places free.
export function spread(places, sizes, fixed = 0) {
  const moving = places.length - fixed;
  for (let turn = 0; turn < 64; turn++) {
    for (let i = 0; i < places.length; i++) {
      for (let j = 0; j < i; j++) {
        const away = [0, 1].map((k) => places[i][k] - places[j][k]);
        const over = [0, 1].map((k) => (sizes[i][k] + sizes[j][k]) / 2 - Math.abs(away[k]));
        if (over[0] <= 0 || over[1] <= 0) continue;
        const k = over[0] < over[1] ? 0 : 1;
        if (j >= moving) continue;
        const push = ((away[k] < 0 ? -1 : 1) * over[k]) / (i < moving ? 2 : 1);
        if (i < moving) places[i][k] += push;
        places[j][k] -= push;
      }
    }
  }
  return places;
}
