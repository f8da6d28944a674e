// Half a digit: the reader hides pixels, and chains on p(z | the others) fill them in.

import { pixelsOf } from "../bytes.js";
import { paint, thumbnail, view } from "../canvas.js";
import { Chain } from "../chain.js";
import { button, captioned, dials, facts, group, note, number } from "../elements.js";
import { LiveFigure } from "../figure.js";
import { Random } from "../random.js";
import { Scratch } from "../scratch.js";

const CHAINS = 6;
const RATE = 0.3; // of accepted proposals, aimed at
const WARMUP = 200; // steps after a change, in which the step size is found
const STEPS = 500; // after a change; then the chains rest
const PER_FRAME = 2;

export class HalfDigit extends LiveFigure {
  build(box, { model, images, start }) {
    this.decoder = this.network(model);
    this.images = images.map(pixelsOf);
    const [, height] = this.decoder.output;
    const pictures = this.images.map((pixels) => thumbnail(pixels, this.decoder.output));
    const words = (i) => `image ${i + 1}`;
    this.declare({
      rows: { name: "rows seen", value: start[0], min: 0, max: height, step: 1, words: String },
      image: { name: "image", pictures, value: 0, words },
      brush: { name: "the brush uncovers", on: "yes", off: "no", value: 0 },
    });
    const uncovers = () => this.settings.values.brush;
    this.scratch = new Scratch(this.decoder.output, uncovers, () => this.renew());
    this.arrange(box);
    this.update(["image", "rows"]);
    this.whenNear(() => {
      this.near = true;
      this.wake();
    });
  }

  arrange(box) {
    this.views = Array.from({ length: CHAINS }, view);
    this.views.forEach((node, k) => node.setAttribute("aria-label", `Completion ${k + 1}`));
    [this.mean, this.spread] = [view(), view()];
    this.mean.setAttribute("aria-label", `Mean of the ${CHAINS} completions`);
    this.spread.setAttribute("aria-label", "Bright where the completions differ");
    this.facts = facts([["pixels seen"], ["step s"], ["accepted"], ["steps"]]);
    this.play = button("pause", () => this.toggle());
    this.play.classList.add("vaebook-live-play");
    const again = button("start again", () => this.restart());
    const { rows, image, brush } = this.settings.labels;
    box.classList.add("vaebook-live-half");
    this.lay(
      [captioned(this.scratch.node, "scratch pixels away")],
      [
        group(
          "pictures",
          ...this.views.map((node, k) => captioned(node, `chain ${k + 1}`)),
          captioned(this.mean, "mean of the six"),
          captioned(this.spread, "where they differ"),
        ),
      ],
      dials({ rows, brush }),
      group("pair", image, this.facts.node),
      group("bar", this.play, again, this.resetButton()),
      note(
        `Six chains of pCN on the codes that explain the pixels still seen, from draws of the prior. After each change they look for their step for ${WARMUP} steps, and rest after ${STEPS}.`,
      ),
    );
  }

  // What a live notebook reads and sets is the number of rows seen.
  move([rows]) {
    this.set({ rows: Math.round(rows) });
  }

  update(keys) {
    const { image, rows } = this.settings.values;
    if (keys.includes("rows")) this.scratch.uncover(rows);
    if (keys.includes("image")) {
      this.scratch.show(this.images[image]);
      this.restart();
    } else if (keys.includes("rows")) this.renew();
    this.z = [rows];
    this.report(this.z);
  }

  restart() {
    const codes = Array.from({ length: CHAINS }, (_, k) => {
      const random = new Random(1000 + k);
      return Float32Array.from({ length: this.decoder.input }, () => random.normal());
    });
    this.size = 0.3;
    this.renew(codes);
  }

  // Other pixels are seen: chains on another density, from where the last ones stood.
  renew(codes = this.chains.map(({ z }) => z)) {
    const image = this.scratch.image;
    const seen = Uint8Array.from(this.scratch.seen);
    const logProb = (z) => this.decoder.logProb(image, z, seen);
    this.chains = codes.map((z, k) => new Chain("pCN", logProb, z, k));
    this.size = Math.max(this.size, 0.1);
    this.age = 0;
    this.counted = 0;
    this.resting = false;
    this.tell();
    this.wake();
  }

  get accepted() {
    return this.chains.reduce((sum, chain) => sum + chain.accepted, 0);
  }

  advance(n) {
    for (let i = 0; i < n; i++) {
      const before = this.accepted;
      for (const chain of this.chains) chain.advance(this.size);
      const rate = (this.accepted - before) / CHAINS;
      this.age += 1;
      if (this.age > WARMUP) this.counted += rate;
      else this.size = Math.min(1, this.size * Math.exp(this.age ** -0.6 * (rate - RATE)));
    }
    this.tell();
  }

  toggle() {
    this.resting = !this.resting;
    // Who wakes chains that have come to rest wants them to go on.
    if (!this.resting && this.age >= STEPS) this.endless = true;
    if (this.resting) this.endless = false;
    this.wake();
  }

  wake() {
    this.play.textContent = this.resting ? "run" : "pause";
    if (!this.near || this.resting || this.looping) return;
    this.looping = true;
    let last = 0;
    const frame = (now) => {
      this.resting ||= this.age >= STEPS && !this.endless;
      if (this.resting || !this.isConnected) {
        this.looping = false;
        this.play.textContent = "run";
        return;
      }
      // Who asked for less motion sees a new picture once a second.
      if (!this.calm || now - last > 1000) {
        this.advance(this.calm ? 100 : PER_FRAME);
        last = now;
      }
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  // What the chains have come to.
  tell() {
    const shape = this.decoder.output;
    const images = this.chains.map(({ z }) => this.decoder.decode(z));
    images.forEach((pixels, k) => paint(this.views[k], pixels, shape));
    const average = (of) => of.reduce((sum, value) => sum + value, 0) / CHAINS;
    const mean = images[0].map((_, i) => average(images.map((pixels) => pixels[i])));
    const spread = mean.map((centre, i) =>
      Math.min(1, 2 * Math.sqrt(average(images.map((pixels) => (pixels[i] - centre) ** 2)))),
    );
    paint(this.mean, mean, shape);
    paint(this.spread, spread, shape);
    const measured = this.age - WARMUP;
    this.facts.show([
      String(this.scratch.count),
      number(this.size),
      measured > 0 ? `${number((100 * this.counted) / measured, 0)} %` : "–",
      String(this.age),
    ]);
  }
}
