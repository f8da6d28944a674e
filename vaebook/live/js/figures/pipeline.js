// The whole pipeline: an image, its q(z|x), a draw of it, the image decoded there, and what the
// two terms of the ELBO come to.

import { pixelsOf } from "../bytes.js";
import { paint, thumbnail, view } from "../canvas.js";
import { klToPrior } from "../elbo.js";
import {
  INKS,
  TERMS,
  addUp,
  button,
  captioned,
  dials,
  facts,
  group,
  indexed,
  note,
  number,
  tuple,
} from "../elements.js";
import { LiveFigure } from "../figure.js";
import { Manifold } from "../manifold.js";
import { Pad } from "../pad.js";
import { Plane } from "../plane.js";
import { Random } from "../random.js";
import { rings } from "../sheet.js";
import { Stack } from "../stack.js";

const REACH = 4; // standard deviations that the close-up holds
const DRAWS = 64;
const LEAP = 400; // milliseconds from one image or draw to the next

const controls = (pictures, noise) => {
  const epsilon = (j) => ({
    name: indexed("ε", j),
    value: noise[j],
    min: -REACH,
    max: REACH,
    step: 0.05,
  });
  const words = (i) => `image ${i + 1} of ${pictures.length}`;
  return {
    image: { name: "choose an image", pictures, value: 0, words },
    e1: epsilon(0),
    e2: epsilon(1),
  };
};

const mixed = (a, b, share) => a.map((value, i) => value + share * (b[i] - value));

export class Pipeline extends LiveFigure {
  build(box, config) {
    this.encoder = this.network(config.encoder);
    this.decoder = this.network(config.decoder);
    this.shape = this.decoder.output;
    this.images = config.images.map(pixelsOf);
    this.random = new Random(0);
    this.means = [];
    this.drawn = [];
    const pictures = this.images.map((pixels) => thumbnail(pixels, this.shape));
    this.declare(controls(pictures, config.noise));
    this.plan(config.plane);
    this.arrange(box);
    this.now = this.goal;
    this.update(["image"]);
  }

  // The plane of codes, and the close-up of q(z|x) in units of its standard deviations.
  plan(plane) {
    this.map = new Plane({ ...this.planeOf(plane), axes: ["z₁", "z₂"] });
    this.manifold = Manifold.of(this, this.decoder, this.map);
    const none = { codes: [], labels: [], names: [], colours: plane.colours };
    const change = ([e1, e2]) => this.set({ e1, e2 });
    const resized = () => this.redraw();
    this.lens = new Pad({ ...none, extent: REACH, axes: ["ε₁", "ε₂"], resized, change });
    const near = (...e) => this.decoder.decode(Float32Array.from(this.place({ ...this.goal, e })));
    this.close = new Manifold(this, near, this.shape, REACH);
  }

  arrange(box) {
    [this.seen, this.rebuilt] = [view(), view()];
    this.stack = new Stack(() => this.redraw());
    this.q = facts([["μ"], ["σ"]]);
    this.draw = facts([["ε"], ["z"]]);
    this.terms = facts([
      ["−log p(x|z)", TERMS.reconstruction],
      ["KL(q ‖ prior)", TERMS.kl],
      ["sum, nats"],
    ]);
    for (const { node } of [this.q, this.draw]) node.removeAttribute("role"); // one speaks for all
    const { image, ...epsilons } = this.settings.labels;
    const net = (name) => group("net", name);
    const cell = (area, ...parts) => {
      const node = group("cell", ...parts);
      node.classList.add(`vaebook-live-at-${area}`);
      return node;
    };
    box.classList.add("vaebook-live-pipeline");
    box.append(
      image,
      cell("image", captioned(this.seen, "the image x")),
      cell("encoder", net("encoder →"), this.q.node),
      cell("plane", captioned(this.map.node, "q(z|x) among the codes")),
      cell("rebuilt", captioned(this.rebuilt, "decoded from z")),
      cell("decoder", net("← decoder"), this.draw.node),
      cell("lens", captioned(this.lens.node, "z = μ + σ ε: a draw of ε")),
      cell("terms", this.stack.sheet.node, this.terms.node),
      group(
        "bar",
        button("draw ε again", () => this.drawAgain()),
        this.resetButton(),
      ),
      dials(epsilons),
      note(
        `Drag the circle to choose ε yourself. The circles are one, two and three standard deviations, on the plane of the prior N(0, I). The sum is −ELBO as this one draw has it; the line across the bars is its mean over ${DRAWS} draws.`,
      ),
      this.said,
    );
  }

  drawAgain() {
    const draw = () => Math.min(Math.max(this.random.normal(), -REACH), REACH);
    const { e1, e2 } = this.settings.values;
    this.drawn.push(e1, e2);
    this.leaping = true;
    this.set({ e1: draw(), e2: draw() });
    this.leaping = false;
  }

  // A live notebook sets z.
  move(z) {
    const { mu, sigma } = this.goal;
    const [e1, e2] = mu.map((centre, j) => (z[j] - centre) / sigma[j]);
    this.set({ e1, e2 });
  }

  // Where the settings lead.
  get goal() {
    const { image, e1, e2 } = this.settings.values;
    const code = this.encoder.run(this.images[image]);
    const mu = Array.from(code.slice(0, 2));
    const sigma = Array.from(code.slice(2, 4), (logvar) => Math.exp(logvar / 2));
    return { x: this.images[image], mu, sigma, e: [e1, e2] };
  }

  place({ mu, sigma, e }) {
    return mu.map((centre, j) => centre + sigma[j] * e[j]);
  }

  update(keys) {
    const other = keys.includes("image");
    if (other) {
      this.drawn = [];
      this.close.begin();
    }
    const { goal, now } = this;
    this.z = Float32Array.from(this.place(goal));
    this.report(this.z);
    this.tell(goal);
    if (!this.calm && (other || this.leaping)) this.leap(now, goal);
    else this.show(goal);
  }

  // From one state to another, everything at once.
  leap(from, to) {
    cancelAnimationFrame(this.frame);
    const begin = performance.now();
    const step = (time) => {
      const share = Math.min(Math.max((time - begin) / LEAP, 0), 1);
      const eased = share * share * (3 - 2 * share);
      const parts = Object.keys(to).map((key) => [key, mixed(from[key], to[key], eased)]);
      this.show(Object.fromEntries(parts), share < 1);
      if (share < 1 && this.isConnected) this.frame = requestAnimationFrame(step);
    };
    step(begin);
  }

  show(state, moving = false) {
    if (!moving) cancelAnimationFrame(this.frame);
    this.now = state;
    paint(this.seen, state.x, this.shape);
    paint(this.rebuilt, this.decoder.decode(Float32Array.from(this.place(state))), this.shape);
    this.lens.hold(state.e);
    this.redraw();
  }

  // The two terms, nats, of one z.
  costs({ x, mu, sigma }, z) {
    const fit = -this.decoder.logProb(x, Float32Array.from(z));
    const rate = mu.reduce((sum, centre, j) => sum + klToPrior(centre, sigma[j]), 0);
    return [fit, rate];
  }

  // The mean of their sum over some draws.
  mean(image) {
    if (this.means[image] === undefined) {
      const random = new Random(0);
      const { goal } = this;
      let sum = 0;
      for (let i = 0; i < DRAWS; i++) {
        const [fit, rate] = this.costs(
          goal,
          this.place({ ...goal, e: [random.normal(), random.normal()] }),
        );
        sum += fit + rate;
      }
      this.means[image] = sum / DRAWS;
    }
    return this.means[image];
  }

  // Words and numbers are of the goal, whatever moves.
  tell(goal) {
    const { image } = this.settings.values;
    const z = this.place(goal);
    const pair = (values) => values.map((value) => number(value)).join(", ");
    this.q.show([pair(goal.mu), pair(goal.sigma)]);
    this.draw.show([pair(goal.e), pair(z)]);
    const [fit, rate] = this.costs(goal, z);
    const terms = addUp(fit, rate, 1);
    this.terms.show(terms);
    this.seen.setAttribute("aria-label", `Image ${image + 1}`);
    this.rebuilt.setAttribute("aria-label", `Image decoded at z = ${tuple(z)}`);
    this.map.describe(`Codes of images, and q(z|x) of this one at ${tuple(goal.mu)}`);
    this.lens.describe(`Standard normal ε, and the one drawn, ${tuple(goal.e)}`);
    const bars = `${terms[0]} nats of the image and ${terms[1]} of the code`;
    this.stack.sheet.node.setAttribute("aria-label", `The two terms as bars, ${bars}`);
  }

  redraw() {
    const { colours, now } = this;
    if (!now) return;
    const { ink, ground } = colours;
    const z = this.place(now);
    const over = (context) => {
      this.map.drawDeviations(context, now.mu, now.sigma, ink, ground);
      rings(context, this.map.place(z), [[5, 5]], INKS[1], ground, 3);
    };
    this.map.free = [z, now.mu];
    this.map.draw(colours, over, [this.manifold]);
    this.lens.load({ codes: this.drawn, labels: new Array(this.drawn.length / 2).fill(0) });
    this.lens.draw(colours, null, [this.close]);
    this.stack.draw(this.costs(now, z), this.mean(this.settings.values.image), colours);
  }
}
