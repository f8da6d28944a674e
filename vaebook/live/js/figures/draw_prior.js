// A prior to draw: the posteriors of a few images, which the reader scratches away and draws anew.

import { bytesOf, pixelsOf, placesOf } from "../bytes.js";
import { paint, thumbnail, view } from "../canvas.js";
import { SIDE, contour, gridPlace, levelOf } from "../contours.js";
import { Easel } from "../easel.js";
import { button, captioned, facts, group, note, number, tuple } from "../elements.js";
import { LiveFigure } from "../figure.js";
import { frame } from "../frame.js";
import { Plane } from "../plane.js";
import { Posteriors } from "../posteriors.js";
import { Random } from "../random.js";
import { rings } from "../sheet.js";

const SHAPE = [1, 28, 28];
const [ROWS, COLUMNS] = [2, 9];
const SHARES = [0.5, 0.9, 0.99]; // of the mass within a line
const FLOOR = 24; // nats below the highest point, to which a stored density reaches

// A plane that draws a prior in place of the circles of N(0, I).
class PriorPlane extends Plane {
  drawPrior(context, ink) {
    const { width } = this.sheet;
    const cell = width / (SIDE - 1);
    context.strokeStyle = ink;
    (this.lines ?? []).forEach((segments, i) => {
      Object.assign(context, { lineWidth: [2.5, 1.75, 1][i] });
      context.beginPath();
      for (const [from, to] of segments) {
        context.moveTo(...from.map((value) => value * cell));
        context.lineTo(...to.map((value) => value * cell));
      }
      context.stroke();
    });
  }
}

export class DrawPrior extends LiveFigure {
  build(box, { encoder, decoder, inputs, examples, others, drawn, entropy, plane }) {
    this.encoder = this.network(encoder);
    this.decoder = this.network(decoder);
    this.entropy = entropy;
    this.held = placesOf(drawn.data, drawn.extent);
    this.learned = inputs.map(pixelsOf);
    this.slots = [...this.learned];
    this.examples = examples.map(pixelsOf);
    this.turn = 0;
    this.others = others.map(({ logs, draws, ...rest }) => ({
      ...rest,
      logs: Float64Array.from(bytesOf(logs), (byte) => (FLOOR * byte) / 255),
      draws: placesOf(draws.data, draws.extent),
    }));
    this.small = this.slots.map((pixels) => thumbnail(pixels, SHAPE));
    this.declare(this.controls());
    this.map = new PriorPlane({ ...this.planeOf(plane), axes: ["z₁", "z₂"] });
    this.easel = new Easel((ink) => {
      if (!this.taking) this.put(frame(ink, this.easel.side));
    });
    this.arrange(box);
    this.update(["slot"]);
  }

  controls() {
    const titles = ["of these inputs", ...this.others.map(({ title }) => title)];
    return {
      slot: {
        name: "pseudo-inputs",
        pictures: this.small,
        value: 0,
        words: (i) => `pseudo-input ${i + 1}`,
      },
      prior: {
        name: "prior",
        value: 0,
        choices: titles.map((_, i) => i),
        words: (i) => titles[i],
      },
    };
  }

  arrange(box) {
    this.samples = view();
    this.facts = facts([
      ["KL(q(z) ‖ prior), nats"],
      ...this.others.map(({ title }) => [`of ${title}`]),
    ]);
    const { slot, prior } = this.settings.labels;
    box.classList.add("vaebook-live-prior");
    this.lay(
      [slot, captioned(this.map.node, "held-out codes, and the prior's lines")],
      [
        captioned(this.easel.node, "draw the chosen one here"),
        group(
          "bar",
          button("clear", () => this.become(null)),
          button("a digit", () => this.become(this.examples[this.turn++ % this.examples.length])),
          button("as learned", () => this.become(this.learned[this.settings.values.slot])),
          button("reset", () => this.reset()),
        ),
        prior,
        this.facts.node,
      ],
      captioned(this.samples, "decoded draws of the prior"),
      note(
        "The lines hold 50, 90 and 99 % of the prior. The dashed ellipse marks two standard deviations of the chosen input's q(z|u). An empty input is left out.",
      ),
    );
  }

  update(keys) {
    if (keys.includes("slot")) this.take(this.slots[this.settings.values.slot]);
    this.show();
  }

  take(pixels) {
    this.taking = true;
    if (pixels) this.easel.take(pixels, SHAPE);
    else this.easel.clear();
    this.taking = false;
  }

  // The chosen slot gets another image, or none.
  put(pixels) {
    const { slot } = this.settings.values;
    this.slots[slot] = pixels;
    paint(this.small[slot], pixels ?? new Float32Array(784), SHAPE);
    this.settings.set({ prior: 0 });
    this.show();
  }

  become(pixels) {
    this.put(pixels);
    this.take(pixels);
  }

  reset() {
    this.learned.forEach((pixels, i) => {
      this.slots[i] = pixels;
      paint(this.small[i], pixels, SHAPE);
    });
    this.set(this.settings.start);
  }

  // A live notebook asks for an image: the chosen input becomes what is decoded at z.
  move(z) {
    this.become(this.decoder.decode(Float32Array.from(z)));
  }

  posterior(pixels) {
    const code = Array.from(this.encoder.run(pixels));
    return { mu: code.slice(0, 2), logvar: code.slice(2, 4) };
  }

  // What the chosen prior is: its density on the grid, its KL, and draws of it.
  get chosen() {
    const { prior } = this.settings.values;
    if (prior) return this.others[prior - 1];
    const parts = this.slots.filter(Boolean).map((pixels) => this.posterior(pixels));
    if (!parts.length) return null;
    const mixture = new Posteriors(parts);
    const { extent } = this.map;
    const grid = Array.from({ length: SIDE ** 2 }, (_, k) => gridPlace(k, extent));
    const random = new Random(0);
    const draws = Array.from({ length: ROWS * COLUMNS }, () => mixture.sample(random));
    return {
      title: "these inputs",
      logs: Float64Array.from(grid, (place) => mixture.logDensity(place)),
      kl: this.divergence(mixture),
      draws: Float32Array.from(draws.flat()),
    };
  }

  // KL(q(z) ‖ p) by draws of q(z), whose entropy is known.
  divergence(mixture) {
    const n = this.held.length / 2;
    let sum = 0;
    for (let i = 0; i < n; i++) {
      sum += mixture.logDensity([this.held[2 * i], this.held[2 * i + 1]]);
    }
    return -this.entropy - sum / n;
  }

  show() {
    const { chosen } = this;
    this.map.lines = chosen
      ? SHARES.map((share) => contour(chosen.logs, levelOf(chosen.logs, share)))
      : [];
    const said = (kl) => (kl < 1000 ? number(kl) : kl.toLocaleString("en", KILO));
    this.facts.show([chosen ? said(chosen.kl) : "–", ...this.others.map(({ kl }) => number(kl))]);
    this.decodeDraws(chosen);
    const { slot } = this.settings.values;
    const pixels = this.slots[slot];
    this.q = pixels && this.posterior(pixels);
    this.z = Float32Array.from(this.q ? this.q.mu : [0, 0]);
    this.report(this.z);
    this.redraw();
  }

  decodeDraws(chosen) {
    const [, height, width] = SHAPE;
    const wide = COLUMNS * width;
    const pixels = new Float32Array(ROWS * height * wide);
    for (let k = 0; chosen && k < ROWS * COLUMNS; k++) {
      const image = this.decoder.decode(chosen.draws.slice(2 * k, 2 * k + 2));
      const corner = Math.floor(k / COLUMNS) * height * wide + (k % COLUMNS) * width;
      image.forEach((value, i) => {
        pixels[corner + Math.floor(i / width) * wide + (i % width)] = value;
      });
    }
    paint(this.samples, pixels, [1, ROWS * height, wide]);
    const words = chosen ? `Images decoded from draws of ${chosen.title}` : "No prior, no images";
    this.samples.setAttribute("aria-label", words);
  }

  redraw() {
    const { colours, q } = this;
    const { ink, ground } = colours;
    const over = (context) => {
      if (!q || this.settings.values.prior) return;
      const radii = [q.logvar.map((logvar) => 2 * this.map.unit * Math.exp(logvar / 2))];
      rings(context, this.map.place(q.mu), radii, ink, ground, 2, [6, 4]);
    };
    this.map.draw(colours, over);
    const kl = this.facts.node.querySelector("dd").textContent;
    const words = `Codes of images, and a prior of which their distribution is ${kl} nats off`;
    this.map.describe(q ? `${words}; the chosen input's code is ${tuple(q.mu)}` : words);
  }
}

const KILO = { maximumFractionDigits: 0 };
