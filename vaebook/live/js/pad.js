// A plane with a handle to drag, or to move with the arrow keys.

import { drag } from "./canvas.js";
import { make, tuple } from "./elements.js";
import { Plane } from "./plane.js";

const GRIP = 22; // CSS pixels about the handle, within which it does not jump to the pointer
const STEP = 1 / 60; // of the side, per press of a key
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

export class Pad extends Plane {
  constructor({ change, ...given }) {
    super(given);
    this.node.classList.add("vaebook-live-pad");
    Object.assign(this.node, { tabIndex: 0, role: "application" });
    this.handle = make("div", { className: "vaebook-live-handle" });
    this.node.append(this.handle);
    this.here = [0, 0];
    const grip = [0, 0];
    const inside = (value) => Math.min(Math.max(value, -this.extent), this.extent);
    // How far the pointer is from where the handle was when it was taken.
    const follow = (event) => {
      change(this.under(event).map((value, j) => inside(value + grip[j])));
    };
    const begin = (event) => {
      const away = this.under(event).map((value, j) => this.here[j] - value);
      const held = this.unit * Math.hypot(...away) < GRIP;
      for (const j of [0, 1]) grip[j] = held ? away[j] : 0;
      follow(event);
    };
    drag(this.node, follow, begin);
    this.node.addEventListener("keydown", (event) => {
      const way = WAYS[event.key];
      if (!way || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      const step = 2 * this.extent * STEP;
      change(this.here.map((value, j) => inside(value + step * way[j])));
      this.node.dispatchEvent(new Event("change", { bubbles: true }));
    });
  }

  // What lies under the pointer.
  under(event) {
    return this.at(...this.sheet.under(event));
  }

  hold([x, y]) {
    this.here = [x, y];
    this.free = [this.here];
    this.node.setAttribute("aria-label", `A point at ${tuple(this.here)}. Arrow keys move it.`);
    this.handle.style.left = `${50 * (1 + x / this.extent)}%`;
    this.handle.style.top = `${50 * (1 - y / this.extent)}%`;
  }
}
