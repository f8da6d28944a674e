// A square to draw on, with a pointer or with the keys.

import { drag, paint } from "./canvas.js";
import { INKS, make } from "./elements.js";

const SIDE = 280; // pixels
const WAYS = { ArrowLeft: [-8, 0], ArrowRight: [8, 0], ArrowUp: [0, -8], ArrowDown: [0, 8] };
const WORDS = "Draw a digit. Arrow keys move the pen, the space bar puts it down or lifts it.";

export class Easel {
  constructor(changed) {
    this.side = SIDE;
    this.changed = changed;
    this.pen = { x: SIDE / 2, y: SIDE / 4, down: false };
    // The strokes are kept apart from what is seen, where the pen's mark is drawn as well.
    const paper = make("canvas", { width: SIDE, height: SIDE });
    this.strokes = paper.getContext("2d", { willReadFrequently: true });
    this.node = make("canvas", {
      className: "vaebook-live-easel",
      width: SIDE,
      height: SIDE,
      tabIndex: 0,
      role: "application",
      "aria-label": WORDS,
    });
    this.listen();
  }

  listen() {
    const place = (event) => {
      const edge = this.node.getBoundingClientRect();
      const scale = SIDE / edge.width;
      return [scale * (event.clientX - edge.left), scale * (event.clientY - edge.top)];
    };
    const begin = (event) => {
      [this.pen.x, this.pen.y] = place(event);
      this.line(this.pen.x, this.pen.y);
    };
    drag(this.node, (event) => this.line(...place(event)), begin);
    this.node.addEventListener("keydown", (event) => this.press(event));
    this.node.addEventListener("blur", () => {
      this.pen.down = false;
      this.mark();
    });
  }

  press(event) {
    if (event.key === " ") this.pen.down = !this.pen.down;
    else if (!(event.key in WAYS)) return;
    event.preventDefault();
    const [dx, dy] = WAYS[event.key] ?? [0, 0];
    const inside = (value) => Math.min(Math.max(value, 12), SIDE - 12);
    const [x, y] = [inside(this.pen.x + dx), inside(this.pen.y + dy)];
    if (this.pen.down) this.line(x, y);
    else {
      Object.assign(this.pen, { x, y });
      this.mark();
    }
  }

  line(x, y) {
    Object.assign(this.strokes, { lineWidth: 24, lineCap: "round", strokeStyle: "#fff" });
    this.strokes.beginPath();
    this.strokes.moveTo(this.pen.x, this.pen.y);
    this.strokes.lineTo(x, y);
    this.strokes.stroke();
    Object.assign(this.pen, { x, y });
    this.tell();
  }

  clear() {
    this.strokes.clearRect(0, 0, SIDE, SIDE);
    this.tell();
  }

  // Draw an image [1, H, W].
  take(image, shape) {
    const small = make("canvas");
    paint(small, image, shape);
    this.strokes.clearRect(0, 0, SIDE, SIDE);
    this.strokes.drawImage(small, 0, 0, SIDE, SIDE);
    this.tell();
  }

  tell() {
    this.mark();
    const { data } = this.strokes.getImageData(0, 0, SIDE, SIDE);
    const ink = (_, i) => (data[4 * i] * data[4 * i + 3]) / 65025;
    this.changed(Float32Array.from({ length: SIDE ** 2 }, ink));
  }

  mark() {
    const context = this.node.getContext("2d");
    context.fillStyle = "#000";
    context.fillRect(0, 0, SIDE, SIDE);
    context.drawImage(this.strokes.canvas, 0, 0);
    if (document.activeElement !== this.node) return;
    Object.assign(context, { strokeStyle: INKS[this.pen.down ? 1 : 0], lineWidth: 3 });
    context.beginPath();
    context.arc(this.pen.x, this.pen.y, 12, 0, 2 * Math.PI);
    context.stroke();
  }
}
