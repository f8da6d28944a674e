// The ELBO bench: one datum, one latent dimension, and q in the reader's hand.

import { drag } from "../canvas.js";
import { DECODERS, GRID, bestQ, elboTerms, logNormal } from "../elbo.js";
import { TERMS, addUp, button, dials, facts, group, note, number } from "../elements.js";
import { LiveFigure } from "../figure.js";
import { Levels } from "../levels.js";
import { FONT, Sheet, rings, stroke } from "../sheet.js";

const HEAD = 12; // CSS pixels above the curves, for a handle
const FLOOR = 18; // and below them, for the numbers of the axis
const GRIP = 22; // CSS pixels about a handle
const ROOM = 1.3; // a q that fits one hump of two stands higher than the posterior
const REACH = { mu: [-3, 3], sigma: [0.05, 2] };
const GREY = "#808080";

const controls = ({ x, mu, sigma }) => ({
  bent: { name: "bent decoder", value: 0, on: "g(z) = (z² + z)/2", off: "g(z) = z" },
  x: { name: "datum x", value: x, min: -3, max: 3, step: 0.05 },
  mu: { name: "μ of q", value: mu, min: REACH.mu[0], max: REACH.mu[1], step: 0.01 },
  sigma: { name: "σ of q", value: sigma, min: REACH.sigma[0], max: REACH.sigma[1], step: 0.01 },
});

export class ElboBench extends LiveFigure {
  build(box, config) {
    this.noise = config.noise;
    const { labels } = this.declare(controls(config));
    this.plot = new Sheet("vaebook-live-plot", () => this.redraw());
    this.levels = new Levels(() => this.redraw());
    const best = button("nearest best q", () => {
      const { mu, sigma } = this.settings.values;
      this.move(bestQ(this.model, mu, sigma));
    });
    this.facts = facts([
      ["E log p(x|z)", TERMS.reconstruction],
      ["− KL(q ‖ prior)", TERMS.kl],
      ["= ELBO", TERMS.elbo],
      ["log p(x)"],
      ["gap = KL(q ‖ posterior)", TERMS.gap],
    ]);
    box.classList.add("vaebook-live-bench");
    this.lay(
      [this.plot.node],
      [this.levels.sheet.node, this.facts.node],
      dials(labels),
      group("bar", best, this.resetButton()),
      note(
        "Filled: the exact posterior p(z|x). Solid: q. Dashed: the prior. Drag one circle to move q, the other to make it wider. The terms are in nats.",
      ),
    );
    this.listen();
    this.update();
  }

  listen() {
    const { plot } = this;
    const at = (event) => (8 * plot.under(event)[0]) / plot.width - 4;
    const begin = (event) => {
      const [left, top] = plot.under(event);
      const far = ([x, y]) => Math.hypot(left - x, top - y);
      const { mu, sigma } = this.settings.values;
      const [middle, side] = this.handles.map(far);
      this.grip = { key: side < Math.min(GRIP, middle) ? "sigma" : "mu", away: 0 };
      if (this.grip.key === "sigma") this.grip.away = mu + sigma - at(event);
      else if (middle < GRIP) this.grip.away = mu - at(event);
      follow(event);
    };
    const follow = (event) => {
      const { key, away } = this.grip;
      const z = at(event) + away - (key === "sigma" ? this.settings.values.mu : 0);
      const [low, high] = REACH[key];
      this.set({ [key]: Math.min(Math.max(z, low), high) });
    };
    drag(plot.node, follow, begin);
  }

  get model() {
    const { bent, x } = this.settings.values;
    return { g: Object.values(DECODERS)[bent], x, noise: this.noise };
  }

  move([mu, sigma]) {
    this.set({ mu, sigma });
  }

  update() {
    const { mu, sigma } = this.settings.values;
    this.z = Float32Array.of(mu, sigma);
    this.terms = elboTerms(this.model, mu, sigma);
    const { reconstruction, kl, elbo, evidence, gap } = this.terms;
    const [left] = addUp(gap, elbo);
    this.facts.show([...addUp(reconstruction, -kl), number(evidence), left]);
    const q = `q with mean ${number(mu)} and standard deviation ${number(sigma)}`;
    const words = `${q} beside the exact posterior; gap ${left} nats`;
    this.plot.node.setAttribute("aria-label", words);
    this.redraw();
    this.report([mu, sigma]);
  }

  redraw() {
    const { colours } = this;
    this.levels.draw(this.terms, colours);
    const context = this.plot.open();
    const { width, height } = this.plot;
    if (!width) return;
    const { mu, sigma } = this.settings.values;
    const tall = Math.max(ROOM * Math.max(...this.terms.posterior), 0.6);
    const across = (z) => (width * (z + 4)) / 8;
    const up = (density) => height - FLOOR - ((height - FLOOR - HEAD) * density) / tall;
    const curve = (densities) =>
      Array.from(densities, (density, i) => [across(GRID[i]), up(density)]);
    const normal = (mean, scale) => curve(GRID.map((z) => Math.exp(logNormal(z, mean, scale))));
    Object.assign(context, { font: `12px ${FONT}`, textAlign: "center", fillStyle: colours.ink });
    for (let z = -3; z <= 3; z++) context.fillText(number(z, 0), across(z), height - 4);
    stroke(
      context,
      [
        [0, up(0)],
        [width, up(0)],
      ],
      GREY,
      1,
    );
    context.beginPath();
    for (const [x, y] of [[0, up(0)], ...curve(this.terms.posterior), [width, up(0)]]) {
      context.lineTo(x, y);
    }
    Object.assign(context, { fillStyle: GREY, globalAlpha: 0.35 });
    context.fill();
    context.globalAlpha = 1;
    stroke(context, normal(0, 1), GREY, 1.5, [5, 4]);
    stroke(context, normal(mu, sigma), colours.ink, 2.5);
    // A narrow q leaves the frame, its handles don't.
    const hold = (z) => [across(z), Math.max(up(Math.exp(logNormal(z, mu, sigma))), HEAD)];
    this.handles = [mu, mu + sigma].map(hold);
    for (const handle of this.handles) {
      rings(context, handle, [[7, 7]], colours.ink, colours.ground, 3);
    }
  }
}
