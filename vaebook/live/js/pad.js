// A square [-extent, extent]² with a cloud on it and a handle to drag. The dials do the same for
// the keyboard, so it is hidden from readers who cannot see it.

import { drag, fresh } from "./canvas.js";
import { make } from "./elements.js";

const GRIP = 22; // CSS pixels about the handle, within which it does not jump to the pointer

export function pad(cloud, extent, change) {
  const handle = make("div", { className: "vaebook-live-handle" });
  const over = make("canvas");
  const node = make("div", { className: "vaebook-live-pad", "aria-hidden": "true" }, handle, over);
  const here = { x: 0, y: 0 };
  const grip = { x: 0, y: 0 };
  // How far the pointer is from where the handle was when it was taken, in units of the plane.
  const at = (event) => {
    const box = node.getBoundingClientRect();
    const x = extent * ((2 * (event.clientX - box.left)) / box.width - 1);
    const y = extent * (1 - (2 * (event.clientY - box.top)) / box.height);
    return { x, y, unit: box.width / (2 * extent) };
  };
  const inside = (value) => Math.min(Math.max(value, -extent), extent);
  const follow = (event) => {
    const { x, y } = at(event);
    change(inside(x + grip.x), inside(y + grip.y));
  };
  const begin = (event) => {
    const { x, y, unit } = at(event);
    const held = unit * Math.hypot(here.x - x, here.y - y) < GRIP;
    Object.assign(grip, held ? { x: here.x - x, y: here.y - y } : { x: 0, y: 0 });
    follow(event);
  };
  if (change) drag(node, follow, begin);
  else {
    handle.hidden = true;
    node.style.cursor = "default";
  }

  const show = (x, y) => {
    Object.assign(here, { x, y });
    handle.style.left = `${50 * (1 + x / extent)}%`;
    handle.style.top = `${50 * (1 - y / extent)}%`;
  };
  const turn = (picture) => (node.style.backgroundImage = `url("${picture}")`);
  // A clear sheet over the cloud, where a point of the plane lies on it, and pixels per unit.
  const open = () => {
    const side = node.clientWidth || 300;
    const unit = side / (2 * extent);
    const place = ([x, y]) => [side / 2 + unit * x, side / 2 - unit * y];
    return { context: fresh(over, side, side), place, unit };
  };
  turn(cloud);
  return { node, show, turn, open };
}
