// Images, and what follows the pointer.

import { make } from "./elements.js";

export const view = () => make("canvas", { className: "vaebook-live-view", role: "img" });

// Pixels in [0, 1] as a picture, grey or red, green and blue one after the other.
export function paint(canvas, pixels, [channels, height, width]) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const plane = height * width;
  for (let i = 0; i < plane; i++) {
    for (let k = 0; k < 3; k++) {
      image.data[4 * i + k] = 255 * pixels[i + (channels === 3 ? k * plane : 0)];
    }
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

// A small picture to choose.
export function thumbnail(pixels, shape) {
  const canvas = make("canvas", { className: "vaebook-live-thumbnail" });
  paint(canvas, pixels, shape);
  return canvas;
}

// Follow the pointer from where its main button goes down to where it is lifted.
export function drag(node, follow, begin = follow) {
  node.addEventListener("pointerdown", (event) => {
    if (event.button || !event.isPrimary) return;
    node.setPointerCapture(event.pointerId);
    begin(event);
  });
  node.addEventListener("pointermove", (event) => {
    if (node.hasPointerCapture(event.pointerId)) follow(event);
  });
}
