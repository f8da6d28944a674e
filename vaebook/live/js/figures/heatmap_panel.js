// The heatmap panel: three factors, and the heatmap that they make.

import { paint, view } from "../canvas.js";
import { dial, dials, group, make, number } from "../elements.js";
import { LiveFigure } from "../figure.js";
import { HEATMAP, heatmap } from "../heatmaps.js";

const FACTORS = [
  { name: "variance in x", min: 0.1, max: 4.9, step: 0.1, words: (value) => number(value, 1) },
  { name: "variance in y", min: 0.1, max: 4.9, step: 0.1, words: (value) => number(value, 1) },
  { name: "correlation", min: -0.95, max: 0.95, step: 0.05 },
];

// The long axis' angle to the x axis, and how many times as long it is as the other.
function shapeOf([s1, s2, rho]) {
  const cross = 2 * rho * Math.sqrt(s1 * s2);
  const spread = Math.hypot(s1 - s2, cross);
  if (spread < 1e-9) return "no long axis: a disc";
  const angle = (Math.atan2(cross, s1 - s2) * 90) / Math.PI;
  const elongation = Math.sqrt((s1 + s2 + spread) / (s1 + s2 - spread));
  return `long axis at ${number(angle, 0)}°, ${number(elongation)} times the short one`;
}

export class HeatmapPanel extends LiveFigure {
  build(box, { start }) {
    this.canvas = view();
    this.dials = FACTORS.map((factor, j) =>
      dial({ ...factor, value: start[j], change: (value) => this.move(this.z.with(j, value)) }),
    );
    this.said = make("div", { role: "status" });
    box.append(group("stage", this.canvas, group("controls", dials(this.dials), this.said)));
    this.move(start);
  }

  move(factors) {
    this.z = Array.from(factors);
    paint(this.canvas, heatmap(this.z), HEATMAP);
    this.said.textContent = shapeOf(this.z);
    const words = `Heatmap, white in the middle and black far out: ${this.said.textContent}.`;
    this.canvas.setAttribute("aria-label", words);
    this.dials.forEach(({ show }, j) => show(this.z[j]));
    this.report(this.z);
  }
}
