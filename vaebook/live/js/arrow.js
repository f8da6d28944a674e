// An arrow on a canvas, from a place by so many pixels.

import { stroke } from "./sheet.js";

export function arrow(context, [x, y], [dx, dy], colour, width) {
  const head = 3 + width / 2;
  const size = Math.hypot(dx, dy);
  const [ux, uy] = [dx / size, dy / size];
  const [tipX, tipY] = [x + dx, y + dy];
  const barb = (side) => [
    tipX - head * (ux + side * 0.6 * uy),
    tipY - head * (uy - side * 0.6 * ux),
  ];
  stroke(
    context,
    [
      [x, y],
      [tipX, tipY],
    ],
    colour,
    width,
  );
  stroke(context, [barb(1), [tipX, tipY], barb(-1)], colour, width);
}
