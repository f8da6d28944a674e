// Drawing: images, curves, and what follows the pointer.

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

// An empty canvas to draw on in CSS pixels.
export function fresh(canvas, width, height) {
  const scale = Math.max(globalThis.devicePixelRatio || 1, 2);
  Object.assign(canvas, { width: width * scale, height: height * scale });
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  return context;
}

// A canvas as wide as it is shown, for curves with words in the page's ink.
export function sheet(height) {
  const node = make("canvas", { className: "vaebook-live-sheet", role: "img" });
  node.style.height = `${height}px`;
  const open = (ink, align) => {
    const width = node.clientWidth || 600;
    const context = fresh(node, width, height);
    Object.assign(context, {
      fillStyle: ink,
      font: "12px system-ui, sans-serif",
      textAlign: align,
    });
    return { context, width, height };
  };
  return { node, open };
}

export function stroke(context, points, colour, width = 1.5, dash = []) {
  context.beginPath();
  for (const [x, y] of points) context.lineTo(x, y);
  Object.assign(context, { strokeStyle: colour, lineWidth: width });
  context.setLineDash(dash);
  context.stroke();
}
