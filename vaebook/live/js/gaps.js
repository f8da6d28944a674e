// Gaps below the evidence as bars on one axis, nats: what a q has over the encoder's, what the best
// has over it, and what no diagonal Gaussian can win.

import { TERMS, number } from "./elements.js";
import { FONT, Sheet, stroke } from "./sheet.js";

const SPANS = [0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 1e4, 1e5]; // nats
const [ROW, FOOT, EDGE] = [26, 20, 96]; // CSS pixels
const STEADY = 0.4; // of the span: the axis is kept while bars are at least as long

export const PARTS = { amortisation: TERMS.gap, approximation: "#808080" };

export class Gaps {
  constructor(resized) {
    this.sheet = new Sheet("vaebook-live-gaps", resized);
  }

  // Of a few q's, each with its name and ELBO; `own` is the encoder's, `best` the highest ELBO.
  draw({ evidence, best, own, rows }, { ink }) {
    const context = this.sheet.open();
    const { width, height } = this.sheet;
    const widest = Math.max(...rows.map(({ elbo }) => evidence - elbo));
    if (!(widest <= this.span && widest >= STEADY * this.span)) {
      this.span = SPANS.find((nats) => nats >= widest) ?? widest;
    }
    const right = width - 8;
    const across = (elbo) => right - ((right - EDGE) * (evidence - elbo)) / this.span;
    const mark = (x, colour, dash) => {
      const line = [
        [x, 0],
        [x, height - FOOT],
      ];
      stroke(context, line, colour, 1.5, dash);
    };
    Object.assign(context, { font: `12px ${FONT}`, textBaseline: "middle" });
    rows.forEach(({ name, elbo }, k) => {
      const top = k * ROW + 4;
      Object.assign(context, { textAlign: "left", fillStyle: ink });
      context.fillText(name, 0, top + (ROW - 8) / 2);
      const bar = (from, to, colour) => {
        context.fillStyle = colour;
        context.fillRect(across(from), top, Math.max(across(to) - across(from), 0), ROW - 8);
      };
      bar(Math.min(elbo, best), best, PARTS.amortisation);
      bar(best, evidence, PARTS.approximation);
      if (elbo > own) {
        const [left, wide] = [across(own), across(elbo) - across(own)];
        Object.assign(context, { strokeStyle: PARTS.amortisation, lineWidth: 1 });
        context.strokeRect(left + 0.5, top + 0.5, Math.max(wide - 1, 0), ROW - 9);
      }
    });
    mark(right, ink, []);
    Object.assign(context, { fillStyle: ink, textBaseline: "alphabetic" });
    for (const [share, align] of [
      [1, "center"],
      [0.5, "center"],
      [0, "right"],
    ]) {
      const words = share
        ? number(-share * this.span, this.span < 2 ? 2 : +(this.span < 10))
        : "log p(x)";
      context.textAlign = align;
      context.fillText(words, across(evidence - share * this.span) + (share ? 0 : 8), height - 5);
    }
  }
}
