// The pixels of a dot, to be pressed onto a picture.

import { make } from "./elements.js";

const DOT = 2.3; // CSS pixels

export function stampOf(colour, scale) {
  const side = Math.ceil(2 * (DOT + 1) * scale);
  const context = make("canvas", { width: side, height: side }).getContext("2d");
  context.fillStyle = colour;
  context.arc(side / 2, side / 2, DOT * scale, 0, 2 * Math.PI);
  context.fill();
  return { side, pixels: new Uint32Array(context.getImageData(0, 0, side, side).data.buffer) };
}
