// The terms of the ELBO as levels on one axis, nats: from the fit down by the rate to the ELBO, and
// from the evidence down by the gap.

import { TERMS, number } from "./elements.js";
import { FONT, Sheet, stroke } from "./sheet.js";

const SPANS = [2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000]; // nats from top to bottom
const [HEAD, FOOT] = [16, 10]; // CSS pixels

export class Levels {
  constructor(resized) {
    this.sheet = new Sheet("vaebook-live-levels", resized);
  }

  draw({ reconstruction, kl, elbo, evidence, gap }, { ink }) {
    const context = this.sheet.open();
    const { width, height } = this.sheet;
    const top = Math.max(reconstruction, evidence);
    const span = SPANS.find((nats) => nats >= top - elbo) ?? top - elbo;
    const down = (level) => HEAD + ((height - HEAD - FOOT) * (top - level)) / span;
    const thick = width / 4;
    const bar = (middle, from, [words, name, colour]) => {
      const high = Math.max(down(elbo) - down(from), 1);
      Object.assign(context, { fillStyle: colour, globalAlpha: 0.6 });
      context.fillRect(middle - thick / 2, down(from), thick, high);
      Object.assign(context, { globalAlpha: 1, fillStyle: ink });
      stroke(
        context,
        [
          [middle - thick, down(from)],
          [middle + thick * 0.8, down(from)],
        ],
        ink,
        1.5,
      );
      context.fillText(words, middle, down(from) - 4);
      if (high > 18) context.fillText(name, middle, down(from) + high / 2 + 4);
    };
    Object.assign(context, { font: `12px ${FONT}`, textAlign: "center" });
    bar(width * 0.27, reconstruction, ["E log p(x|z)", "KL", TERMS.kl]);
    bar(width * 0.73, evidence, ["log p(x)", "gap", TERMS.gap]);
    stroke(
      context,
      [
        [0, down(elbo)],
        [width, down(elbo)],
      ],
      TERMS.elbo,
      2.5,
    );
    const words = `Levels: the ELBO ${number(kl)} nats below E log p(x|z) and ${number(gap)} below log p(x)`;
    this.sheet.node.setAttribute("aria-label", words);
  }
}
