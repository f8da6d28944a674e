// The refinement of q: the encoder's q of one image climbs the ELBO, or the reader's.

import { bytesOf, pixelsOf } from "../bytes.js";
import { paint, thumbnail, view } from "../canvas.js";
import { Bound, Climb } from "../climb.js";
import { INKS, button, captioned, dials, facts, group, note, number, tuple } from "../elements.js";
import { LiveFigure } from "../figure.js";
import { Gaps, PARTS } from "../gaps.js";
import { Outlook } from "../outlook.js";

const [SLICE, MOVED_SLICE] = [10, 3]; // milliseconds of a frame, and of one in which q was moved
const CALM = 1000; // milliseconds between two pictures for who asked for less motion
const [STEPS, OPENING] = [120, 60]; // of a climb, and of the one that the figure opens with
const hundredths = (nats) => Number(nats.toFixed(2));
const WORDS =
  "Shaded: the posterior p(z|x), and faintly all that is less than 30 nats below its top. Dashed: the encoder's q, solid: the present one, each at two standard deviations, with the way of its mean. Drag the circle, or turn the dials, and let q climb from there, with the widths of the dials. The bars are gaps below log p(x), in nats: magenta, what the best diagonal Gaussian has over this q, which is amortisation for the encoder's; framed, what this q has over the encoder's; grey, what even the best lacks.";

export class Refinement extends LiveFigure {
  build(box, { model, images, nodes, factor }) {
    this.decoder = this.network(model);
    this.bound = new Bound(this.decoder, nodes);
    this.images = images.map(({ pixels, shade, ...rest }) => ({
      ...rest,
      pixels: pixelsOf(pixels),
      shade: bytesOf(shade),
    }));
    this.left = 0; // steps to be taken
    this.last = -Infinity; // when there was something new to be seen
    this.declare(this.controls(Math.log2(factor)));
    const resized = () => this.redraw();
    this.pad = new Outlook({ resized, change: ([u1, u2]) => this.set({ u1, u2 }) });
    this.gaps = new Gaps(resized);
    this.arrange(box);
    this.update(["image"]);
    this.whenNear(() => {
      this.near = true;
      if (!this.calm && !this.touched) this.left = OPENING;
      this.schedule();
    });
  }

  // Where a climb starts: a mean in the window, widths as powers of two of the encoder's.
  controls(reach) {
    const pictures = this.images.map(({ pixels }) => thumbnail(pixels, this.decoder.output));
    const mean = (j) => ({
      name: `start: μ${"₁₂"[j]}`,
      value: 0,
      min: -1,
      max: 1,
      step: 0.01,
      words: (u) => number(this.image.encoder.mu[j] + this.image.half * u),
    });
    const width = (j) => ({
      name: `start: σ${"₁₂"[j]}`,
      value: 0,
      min: -reach,
      max: reach,
      step: 0.1,
      words: (power) => number(this.image.encoder.sigma[j] * 2 ** power, 3),
    });
    const words = (i) => `image ${i + 1} of ${pictures.length}`;
    this.image = this.images[0]; // of which the dials speak
    return {
      image: { name: "choose an image", pictures, value: 0, words },
      u1: mean(0),
      u2: mean(1),
      s1: width(0),
      s2: width(1),
    };
  }

  arrange(box) {
    [this.seen, this.rebuilt] = [view(), view()];
    this.seen.setAttribute("aria-label", "the image x");
    this.facts = facts([
      ["log p(x)"],
      ["ELBO of the encoder's q"],
      ["ELBO of the present q", INKS[0]],
      ["above the encoder's q"],
      ["below the best q"],
      ["amortisation", PARTS.amortisation],
      ["approximation", PARTS.approximation],
    ]);
    this.run = button("climb", () => this.toggle());
    this.run.classList.add("vaebook-live-play");
    const one = button("step", () => this.go(1));
    const again = button("start again", () => this.restart());
    const { image, ...starts } = this.settings.labels;
    box.classList.add("vaebook-live-refinement");
    this.lay(
      [this.pad.node],
      [
        image,
        group(
          "pictures",
          captioned(this.seen, "the image x"),
          captioned(this.rebuilt, "decoded at the mean of q"),
        ),
        this.facts.node,
      ],
      this.gaps.sheet.node,
      group("bar", this.run, one, again, this.resetButton()),
      dials(starts),
      note(WORDS),
    );
  }

  // A live notebook sets mean and standard deviations of the q to start from.
  move([mu1, mu2, sigma1, sigma2]) {
    const [u1, u2] = this.pad.flat([mu1, mu2]);
    const { sigma } = this.image.encoder;
    this.set({ u1, u2, s1: Math.log2(sigma1 / sigma[0]), s2: Math.log2(sigma2 / sigma[1]) });
  }

  update(keys) {
    this.touched = Boolean(this.climb);
    if (keys.includes("image")) {
      this.image = this.images[this.settings.values.image];
      this.pad.look(this.image);
      paint(this.seen, this.image.pixels, this.decoder.output);
      const { u1, u2, s1, s2 } = this.settings.values;
      this.settings.set({ u1, u2, s1, s2 }); // which are other numbers for another image
      this.shown = this.image.encoder;
      this.work = null;
    }
    this.restart();
  }

  restart() {
    const { u1, u2, s1, s2 } = this.settings.values;
    const { encoder } = this.image;
    const sigma = encoder.sigma.map((value, j) => value * 2 ** [s1, s2][j]);
    this.climb = new Climb(encoder.sigma, { mu: this.pad.deep([u1, u2]), sigma });
    this.found = null;
    this.left = 0;
    this.stale = true;
    if (this.near) this.schedule();
    else this.show();
  }

  // Take so many steps more.
  go(steps) {
    this.left += steps;
    this.tell();
    this.schedule();
  }

  toggle() {
    this.left = this.left ? 0 : STEPS;
    this.tell();
    this.schedule();
  }

  schedule() {
    if (!this.near) return;
    this.frame ??= requestAnimationFrame((time) => {
      this.frame = null;
      this.tick(time);
    });
  }

  // A frame: go on for a while. What is being computed is finished before another q is looked at,
  // so that the numbers follow an ellipse that is dragged on and on.
  tick(time) {
    const end = performance.now() + (this.stale ? MOVED_SLICE : SLICE);
    let news = this.stale;
    this.stale = false;
    while (performance.now() < end && this.busy) {
      news = this.compute() || news;
    }
    if (news && !(this.calm && this.left && time - this.last < CALM)) {
      this.last = time;
      this.show();
    }
    if (this.busy && this.isConnected) this.schedule();
  }

  // A part of the work; whether it brought a number.
  compute() {
    this.work ??= this.next();
    const { done, value } = this.work.next();
    if (!done) return false;
    this.work = null;
    this.shown = value;
    if (this.asked === this.climb.q) this.found = value;
    return true;
  }

  get busy() {
    return Boolean(this.work || !this.found || this.left);
  }

  next() {
    if (this.found) {
      this.climb.move(this.found.slopes);
      this.found = null;
      this.left -= 1;
    }
    this.asked = this.climb.q;
    return this.bound.of(this.image.pixels, this.asked);
  }

  // All that changes with q.
  show() {
    const { mu, sigma } = this.climb.q;
    this.pad.hold(this.pad.flat(mu));
    this.z = Float32Array.from(mu);
    paint(this.rebuilt, this.decoder.decode(this.z), this.decoder.output);
    this.rebuilt.setAttribute("aria-label", `Image decoded at the mean of q, ${tuple(mu)}`);
    this.tell();
    this.report([...mu, ...sigma]);
    this.redraw();
  }

  tell() {
    const { evidence, encoder, best } = this.image;
    this.run.textContent = this.left ? "pause" : "climb";
    // Differences of what is shown, so that they add up to the last digit.
    const levels = [evidence, encoder.elbo, this.shown.elbo, Math.max(best.elbo, this.shown.elbo)];
    const [p, own, here, top] = levels.map(hundredths);
    const shown = [p, own, here, here - own, top - here, top - own, p - top];
    this.facts.show(shown.map((nats) => number(nats)));
  }

  redraw() {
    if (!this.climb) return;
    const { colours, pad, climb, image, shown } = this;
    const inked = { ...colours, ink: INKS[0] };
    pad.draw(colours, (context) => {
      pad.drawEllipse(context, image.encoder, colours, [6, 4]);
      pad.drawWay(context, climb.way, inked);
      pad.drawEllipse(context, climb.q, inked, []);
      pad.drawScale(context, colours);
    });
    const { mu, sigma } = climb.q;
    pad.describe(
      `The posterior of an image, and q with mean ${tuple(mu)} and standard deviations ${number(sigma[0], 3)} and ${number(sigma[1], 3)}, after ${climb.steps} steps`,
    );
    const best = Math.max(image.best.elbo, shown.elbo);
    const rows = [
      { name: "encoder's q", elbo: image.encoder.elbo },
      { name: "present q", elbo: shown.elbo },
      { name: "best q", elbo: best },
    ];
    this.gaps.draw({ evidence: image.evidence, best, own: image.encoder.elbo, rows }, colours);
    const below = (elbo) => number(hundredths(image.evidence) - hundredths(elbo));
    const words = rows.map(({ name, elbo }) => `${name} ${below(elbo)}`);
    this.gaps.sheet.node.setAttribute("aria-label", `Gaps in nats: ${words.join(", ")}`);
  }
}
