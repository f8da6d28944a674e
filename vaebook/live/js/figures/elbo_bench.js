// The ELBO bench: one datum, one latent dimension, and q in the reader's hand.

import { drag, sheet, stroke } from "../canvas.js";
import { DECODERS, GRID, bestQ, elboTerms, logNormal } from "../elbo.js";
import { INKS, button, dial, dials, facts, group, make, note, number } from "../elements.js";
import { LiveFigure } from "../figure.js";

const FLOOR = 18; // CSS pixels below the curves, for the numbers of the axis

export class ElboBench extends LiveFigure {
  build(box, { x, noise, mu, sigma }) {
    this.model = { g: Object.values(DECODERS)[0], x, noise };
    this.plot = sheet(240);
    this.plot.node.style.touchAction = "pan-y";
    const options = Object.keys(DECODERS).map((text) => make("option", { textContent: text }));
    const name = make("select", { "aria-label": "decoder" }, ...options);
    name.addEventListener("change", () => this.choose({ g: DECODERS[name.value] }));
    const best = button("nearest best q", () => this.move(bestQ(this.model, this.mu, this.sigma)));
    this.dials = [
      dial({
        name: "datum x",
        min: -3,
        max: 3,
        step: 0.05,
        value: x,
        change: (v) => this.choose({ x: v }),
      }),
      dial({
        name: "μ of q",
        min: -3,
        max: 3,
        step: 0.01,
        value: mu,
        change: (v) => this.move([v, this.sigma]),
      }),
      dial({
        name: "σ of q",
        min: 0.05,
        max: 2,
        step: 0.01,
        value: sigma,
        change: (v) => this.move([this.mu, v]),
      }),
    ];
    this.facts = facts([
      ["E log p(x|z)"],
      ["− KL(q ‖ prior)"],
      ["= ELBO", INKS[0]],
      ["log p(x)"],
      ["gap = KL(q ‖ posterior)", INKS[1]],
    ]);
    box.append(
      this.plot.node,
      dials(this.dials),
      group("bar", name, best),
      this.facts.node,
      note(
        "Filled: the exact posterior p(z|x). Blue: q. Dashed: the prior. Drag across the picture to move q, all in nats.",
      ),
    );
    drag(this.plot.node, (event) => {
      const frame = this.plot.node.getBoundingClientRect();
      const z = (8 * (event.clientX - frame.left)) / frame.width - 4;
      this.move([Math.min(Math.max(z, -3), 3), this.sigma]);
    });
    this.move([mu, sigma]);
    new ResizeObserver(() => this.redraw()).observe(this.plot.node);
  }

  choose(change) {
    Object.assign(this.model, change);
    this.move([this.mu, this.sigma]);
  }

  move([mu, sigma]) {
    Object.assign(this, { mu, sigma, z: Float32Array.of(mu, sigma) });
    this.terms = elboTerms(this.model, mu, sigma);
    const { reconstruction, kl, elbo, evidence, gap } = this.terms;
    this.facts.show([reconstruction, -kl, elbo, evidence, gap].map((value) => number(value, 3)));
    [this.model.x, mu, sigma].forEach((value, i) => this.dials[i].show(value));
    const q = `q with mean ${number(mu)} and standard deviation ${number(sigma)}`;
    const words = `${q} beside the exact posterior; gap ${number(gap, 3)} nats`;
    this.plot.node.setAttribute("aria-label", words);
    this.redraw();
    this.report([mu, sigma]);
  }

  redraw() {
    const { context, width, height } = this.plot.open(this.ink, "center");
    const tall = Math.max(...this.terms.posterior, 0.6);
    const across = (z) => (width * (z + 4)) / 8;
    const up = (density) => height - FLOOR - (height - FLOOR - 8) * Math.min(density / tall, 1.2);
    const curve = (densities) =>
      Array.from(densities, (density, i) => [across(GRID[i]), up(density)]);
    const normal = (mean, sigma) => curve(GRID.map((z) => Math.exp(logNormal(z, mean, sigma))));
    for (let z = -3; z <= 3; z++) context.fillText(number(z, 0), across(z), height - 4);
    context.beginPath();
    for (const [x, y] of [[0, up(0)], ...curve(this.terms.posterior), [width, up(0)]]) {
      context.lineTo(x, y);
    }
    Object.assign(context, { fillStyle: INKS[1], globalAlpha: 0.35 });
    context.fill();
    context.globalAlpha = 1;
    stroke(context, normal(0, 1), "#808080", 1.5, [5, 4]);
    stroke(context, normal(this.mu, this.sigma), INKS[0], 2.5);
  }
}
