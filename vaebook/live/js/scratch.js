// An image of which the reader hides pixels, or uncovers them, with a pointer or with the keys.

import { drag } from "./canvas.js";
import { INKS, make } from "./elements.js";

const SCALE = 12; // canvas pixels across a pixel
const REACH = 1.6; // of the brush, pixels
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const HIDDEN = ["#3d5a80", "#4a6890"]; // a board of two blues: no grey, as images are

export class Scratch {
  // `uncovers()` is what the brush does, `changed()` is called when it has done something.
  constructor([, height, width], uncovers, changed) {
    Object.assign(this, { height, width, uncovers, changed });
    this.image = new Float32Array(height * width);
    this.seen = new Uint8Array(height * width).fill(1);
    this.brush = { x: Math.floor(width / 2), y: Math.floor(height / 2), down: false };
    this.node = make("canvas", {
      className: "vaebook-live-easel",
      width: SCALE * width,
      height: SCALE * height,
      tabIndex: 0,
      role: "application",
    });
    this.context = this.node.getContext("2d");
    this.listen();
  }

  listen() {
    const follow = (event) => {
      const edge = this.node.getBoundingClientRect();
      const x = Math.floor((this.width * (event.clientX - edge.left)) / edge.width);
      const y = Math.floor((this.height * (event.clientY - edge.top)) / edge.height);
      this.strokeTo(x, y);
    };
    const begin = (event) => {
      this.last = null;
      follow(event);
    };
    drag(this.node, follow, begin);
    this.node.addEventListener("keydown", (event) => this.press(event));
    for (const kind of ["focus", "blur"]) {
      this.node.addEventListener(kind, () => {
        this.brush.down = false;
        this.draw();
      });
    }
  }

  press(event) {
    if (event.key === " ") this.brush.down = !this.brush.down;
    else if (!(event.key in WAYS)) return;
    event.preventDefault();
    const [dx, dy] = WAYS[event.key] ?? [0, 0];
    const { brush } = this;
    brush.x = Math.min(Math.max(brush.x + dx, 0), this.width - 1);
    brush.y = Math.min(Math.max(brush.y + dy, 0), this.height - 1);
    this.last = null;
    if (brush.down) this.strokeTo(brush.x, brush.y);
    else this.draw();
  }

  // From where the pointer was, so that a fast one leaves no gaps.
  strokeTo(x, y) {
    const [fromX, fromY] = this.last ?? [x, y];
    const steps = Math.max(1, Math.hypot(x - fromX, y - fromY));
    let done = false;
    for (let i = 0; i <= steps; i++) {
      const share = i / steps;
      done = this.dab(fromX + share * (x - fromX), fromY + share * (y - fromY)) || done;
    }
    this.last = [x, y];
    if (done) this.tell();
  }

  dab(x, y) {
    const to = Number(this.uncovers());
    let done = false;
    for (let i = 0; i < this.seen.length; i++) {
      const away = Math.hypot((i % this.width) - x, Math.floor(i / this.width) - y);
      if (away > REACH || this.seen[i] === to) continue;
      this.seen[i] = to;
      done = true;
    }
    return done;
  }

  show(image) {
    this.image = image;
    this.draw();
  }

  // See so many rows from the top, and no other pixel.
  uncover(rows) {
    this.seen.forEach((_, i) => (this.seen[i] = Number(i < rows * this.width)));
    this.draw();
  }

  get count() {
    return this.seen.reduce((sum, value) => sum + value, 0);
  }

  tell() {
    this.draw();
    this.changed();
  }

  draw() {
    const { context, width, image, seen } = this;
    for (let i = 0; i < seen.length; i++) {
      const [x, y] = [i % width, Math.floor(i / width)];
      const grey = Math.round(255 * image[i]);
      context.fillStyle = seen[i] ? `rgb(${grey} ${grey} ${grey})` : HIDDEN[(x + y) % 2];
      context.fillRect(SCALE * x, SCALE * y, SCALE, SCALE);
    }
    const words = `The image, ${this.count} of ${seen.length} pixels seen. Arrow keys move the brush, the space bar puts it down or lifts it.`;
    this.node.setAttribute("aria-label", words);
    if (document.activeElement !== this.node) return;
    Object.assign(context, { strokeStyle: INKS[this.brush.down ? 1 : 0], lineWidth: 3 });
    context.beginPath();
    const [x, y] = [this.brush.x, this.brush.y].map((value) => SCALE * (value + 0.5));
    context.arc(x, y, SCALE * REACH, 0, 2 * Math.PI);
    context.stroke();
  }
}
