// An arrow on a canvas, from a place by so many pixels.

import { stroke } from "./sheet.js";

export function arrow(context, [x, y], [dx, dy], colour, width) {
  const head = 3 + width / 2;
  const size = Math.hypot(dx, dy);
  const [ux, uy] = [dx / size, dy / size];
  const tip = [x + dx, y + dy];
  const barb = (side) => [
    tip[0] - head * (ux + side * 0.6 * uy),
    tip[1] - head * (uy - side * 0.6 * ux),
  ];
  // In one go, so that a pale arrow is as pale everywhere.
  stroke(context, [[x, y], tip, barb(1), tip, barb(-1)], colour, width);
}
