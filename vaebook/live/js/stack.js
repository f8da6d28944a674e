// The two terms of the ELBO as bars on each other, nats.

import { TERMS } from "./elements.js";
import { FONT, Sheet, stroke } from "./sheet.js";

const SPANS = [50, 100, 200, 300, 500, 1000, 2000, 5000, 1e4, 1e5]; // nats
const [HEAD, FOOT, EDGE] = [14, 4, 40]; // CSS pixels

export class Stack {
  constructor(resized) {
    this.sheet = new Sheet("vaebook-live-stack", resized);
  }

  draw(terms, mean, { ink }) {
    const context = this.sheet.open();
    const { width, height } = this.sheet;
    const sum = terms[0] + terms[1];
    // The axis is that of the mean, so that bars of different draws are alike.
    const span = SPANS.find((nats) => nats >= 1.25 * mean) ?? 2 * mean;
    const unit = (height - HEAD - FOOT) / span;
    const up = (nats) => height - FOOT - unit * Math.max(Math.min(nats, 1.04 * span), 0);
    Object.assign(context, { font: `12px ${FONT}`, textAlign: "right", fillStyle: ink });
    for (let k = 0; k <= 4; k++) {
      const level = (k * span) / 4;
      context.globalAlpha = 0.25;
      stroke(
        context,
        [
          [EDGE, up(level)],
          [width, up(level)],
        ],
        ink,
        1,
      );
      context.globalAlpha = 1;
      context.fillText(String(Math.round(level)), EDGE - 5, up(level) + 4);
    }
    const [left, thick] = [EDGE + 8, Math.min(width - EDGE - 16, 90)];
    for (const [from, to, colour] of [
      [0, terms[0], TERMS.reconstruction],
      [terms[0], sum, TERMS.kl],
    ]) {
      context.fillStyle = colour;
      context.fillRect(left, up(to), thick, up(from) - up(to));
    }
    stroke(
      context,
      [
        [left - 6, up(mean)],
        [left + thick + 6, up(mean)],
      ],
      ink,
      2,
      [4, 3],
    );
  }
}
