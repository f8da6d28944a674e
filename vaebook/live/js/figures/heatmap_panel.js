// The heatmap panel: three factors, and the heatmap that they make.

import { paint, view } from "../canvas.js";
import { dials, facts, group, number } from "../elements.js";
import { LiveFigure } from "../figure.js";
import { HEATMAP, heatmap } from "../heatmaps.js";

const FACTORS = {
  varX: { name: "variance in x", min: 0.1, max: 4.9, step: 0.1, words: (v) => number(v, 1) },
  varY: { name: "variance in y", min: 0.1, max: 4.9, step: 0.1, words: (v) => number(v, 1) },
  corr: { name: "correlation", min: -0.95, max: 0.95, step: 0.05 },
};

// The long axis' angle to the x axis, and the standard deviations along both axes.
function shapeOf([s1, s2, rho]) {
  const cross = 2 * rho * Math.sqrt(s1 * s2);
  const spread = Math.hypot(s1 - s2, cross);
  const angle = spread < 1e-9 ? null : (Math.atan2(cross, s1 - s2) * 90) / Math.PI;
  const [long, short] = [1, -1].map((sign) => Math.sqrt((s1 + s2 + sign * spread) / 2));
  return { angle, long, short };
}

export class HeatmapPanel extends LiveFigure {
  build(box, { start }) {
    this.canvas = view();
    const entries = Object.entries(FACTORS);
    const controls = entries.map(([key, factor], j) => [key, { ...factor, value: start[j] }]);
    const { labels } = this.declare(Object.fromEntries(controls));
    this.facts = facts([
      ["long axis, angle to x"],
      ["standard deviation along it"],
      ["across it"],
      ["ratio"],
    ]);
    box.classList.add("vaebook-live-panel");
    this.lay([this.canvas], [dials(labels), this.facts.node, group("bar", this.resetButton())]);
    this.update();
  }

  move([varX, varY, corr]) {
    this.set({ varX, varY, corr });
  }

  update() {
    this.z = Object.values(this.settings.values);
    paint(this.canvas, heatmap(this.z), HEATMAP);
    const { angle, long, short } = shapeOf(this.z);
    const turned = angle === null ? "none: a disc" : `${number(angle, 0)}°`;
    this.facts.show([turned, number(long), number(short), number(long / short)]);
    const axis = angle === null ? "a disc" : `its long axis at ${turned} to the x axis`;
    const words = `Heatmap, white in the middle and black far out, ${axis}`;
    this.canvas.setAttribute("aria-label", words);
    this.report(this.z);
  }
}
