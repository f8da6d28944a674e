// A plane with a handle to drag. The dials do the same for the keyboard.

import { drag } from "./canvas.js";
import { make } from "./elements.js";
import { Plane } from "./plane.js";

const GRIP = 22; // CSS pixels about the handle, within which it does not jump to the pointer

export class Pad extends Plane {
  constructor({ change, ...given }) {
    super(given);
    this.node.classList.add("vaebook-live-pad");
    this.handle = make("div", { className: "vaebook-live-handle" });
    this.node.append(this.handle);
    this.here = [0, 0];
    const grip = [0, 0];
    // How far the pointer is from where the handle was when it was taken.
    const follow = (event) => {
      const inside = (value) => Math.min(Math.max(value, -this.extent), this.extent);
      change(this.under(event).map((value, j) => inside(value + grip[j])));
    };
    const begin = (event) => {
      const away = this.under(event).map((value, j) => this.here[j] - value);
      const held = this.unit * Math.hypot(...away) < GRIP;
      for (const j of [0, 1]) grip[j] = held ? away[j] : 0;
      follow(event);
    };
    drag(this.node, follow, begin);
  }

  // What lies under the pointer.
  under({ clientX, clientY }) {
    const box = this.sheet.node.getBoundingClientRect();
    return this.at(clientX - box.left, clientY - box.top);
  }

  hold([x, y]) {
    this.here = [x, y];
    this.handle.style.left = `${50 * (1 + x / this.extent)}%`;
    this.handle.style.top = `${50 * (1 - y / this.extent)}%`;
  }
}
