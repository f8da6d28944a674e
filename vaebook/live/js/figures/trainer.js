// A VAE that learns on the page.

import { fiveBitsOf } from "../bytes.js";
import { paint, view } from "../canvas.js";
import { Curve } from "../curve.js";
import {
  TERMS,
  addUp,
  button,
  captioned,
  dials,
  facts,
  group,
  make,
  number,
  tuple,
} from "../elements.js";
import { LiveFigure } from "../figure.js";
import { LearningPlane } from "../learning.js";
import { Mosaic } from "../mosaic.js";
import { Training } from "../training.js";
import { LATENTS } from "../vae.js";

const SLICE = 8; // milliseconds of a frame that are spent on learning
const TELL = 200; // milliseconds between two readings of the loss
const CALM = 1000; // and between two pictures for who asked for less motion
const PLAY = { seconds: 6, epochs: 80 }; // what it learns by itself

const controls = (n) => ({
  noise: { name: "noise", value: 1, on: "on: a VAE", off: "off: an autoencoder" },
  beta: { name: "β", value: 1, min: 0, max: 5, step: 0.1, words: (value) => number(value, 1) },
  rate: { name: "learning rate", value: 0.01, choices: [0.001, 0.003, 0.01, 0.03] },
  hidden: { name: "hidden units", value: 32, choices: [8, 16, 32, 64] },
  seed: { name: "seed", value: 0, min: 0, max: 20, step: 1, words: String },
  image: { name: "image", value: 0, min: 0, max: n - 1, step: 1, words: String },
});

export class Trainer extends LiveFigure {
  build(box, { images, levels, shape, labels, names, colours }) {
    const pixels = Float32Array.from(fiveBitsOf(images), (level) => level / levels);
    this.labels = Uint8Array.from(labels);
    this.shape = shape;
    const size = shape[1] * shape[2];
    this.training = new Training(pixels.subarray(0, this.labels.length * size), size);
    this.image = new Float32Array(size);
    this.lastRead = -Infinity;
    this.declare(controls(this.labels.length));
    this.arrange(box, names, colours);
    this.restart();
    this.listen();
  }

  arrange(box, names, colours) {
    const { codes, ceiling } = this.training;
    const { labels } = this;
    const resized = () => this.redraw();
    const stride = 2 * LATENTS;
    this.plane = new LearningPlane({ codes, stride, labels, names, colours, resized });
    this.curve = new Curve(ceiling, resized);
    this.mosaic = new Mosaic(this.shape);
    [this.original, this.rebuilt] = [view(), view()];
    this.facts = facts([
      ["reconstruction", TERMS.reconstruction],
      ["β KL", TERMS.kl],
      ["loss, nats"],
    ]);
    this.facts.node.removeAttribute("role"); // many a second: what is said stands in `said`
    this.count = make("span", { className: "vaebook-live-count" });
    this.play = button("run", () => (this.running ? this.pause() : this.run()));
    this.play.classList.add("vaebook-live-play");
    const step = button("one epoch", () => this.run({ epochs: 1 }));
    const again = button("start again", () => this.restart());
    const reset = button("reset", () => {
      this.settings.set(this.settings.start);
      this.restart();
    });
    const { image, ...others } = this.settings.labels;
    const pictures = group(
      "pictures",
      captioned(this.original, "image"),
      captioned(this.rebuilt, "from its code"),
    );
    box.classList.add("vaebook-live-trainer");
    box.append(
      this.plane.node,
      group("bar", this.play, step, again, reset, this.count, this.said),
      group("side", this.mosaic.node, this.curve.sheet.node, this.facts.node),
      dials(others),
      group("chosen", pictures, image),
    );
  }

  listen() {
    const { sheet } = this.plane;
    sheet.node.addEventListener("click", (event) =>
      this.pick(this.plane.nearest(...this.plane.at(...sheet.under(event)))),
    );
    // It learns by itself when it is first seen, and never where nobody looks.
    new IntersectionObserver(
      ([{ isIntersecting }]) => {
        this.visible = isIntersecting;
        if (isIntersecting && !this.touched && !this.calm) this.run(PLAY);
        if (isIntersecting) this.wake();
      },
      { threshold: 0.4 },
    ).observe(sheet.node);
  }

  // Do what the address asks for, and go on learning.
  follow() {
    if (super.follow()) this.run(PLAY);
  }

  update(keys) {
    const { hidden, seed } = this.settings.values;
    if (hidden !== this.begun.hidden || seed !== this.begun.seed) this.restart();
    if (keys.includes("image")) {
      this.locate();
      this.redraw();
    }
    if (keys.some((key) => key !== "image")) this.run(PLAY);
  }

  pick(image) {
    this.set({ image });
  }

  // A live notebook sets a place: the image whose code is nearest is chosen.
  move(z) {
    this.pick(this.plane.nearest(...z));
  }

  restart() {
    const { hidden, seed } = this.settings.values;
    this.begun = { hidden, seed };
    this.training.start(hidden, seed);
    this.plane.move(1);
    this.pause();
  }

  // Learn until paused, or for so many seconds or epochs.
  run({ seconds = Infinity, epochs = Infinity } = {}) {
    this.touched = true;
    this.until = {
      time: performance.now() + 1000 * seconds,
      epoch: this.training.epochs + epochs,
    };
    this.running = true;
    this.play.textContent = "pause";
    this.wake();
  }

  pause() {
    this.running = false;
    this.training.encode();
    this.locate();
    this.play.textContent = "run";
    this.wake();
  }

  // A live notebook knows the code of the chosen image.
  locate() {
    const at = 2 * LATENTS * this.settings.values.image;
    this.z = this.training.codes.slice(at, at + LATENTS);
    this.report(this.z);
  }

  wake() {
    if (this.frame) return;
    this.frame = requestAnimationFrame((now) => {
      this.frame = null;
      if (this.isConnected && this.visible) this.advance(now);
    });
  }

  // Learn for a slice of a frame, then show what has become of it.
  advance(now) {
    if (this.running) this.learn();
    const due = !this.calm || !this.running || now - (this.last ?? -CALM) >= CALM;
    let still = false;
    if (due) {
      this.last = now;
      still = this.plane.move(this.calm ? 1 : undefined);
      this.redraw();
    }
    if (this.running || !still) this.wake();
  }

  learn() {
    const { training, until } = this;
    const { beta, noise, rate } = this.settings.values;
    const end = performance.now() + SLICE;
    do training.step({ beta, noise: Boolean(noise), rate });
    while (performance.now() < end && training.epochs < until.epoch);
    if (training.epochs >= until.epoch || performance.now() >= until.time) this.pause();
  }

  redraw() {
    const { training, plane } = this;
    if (!plane?.sheet.width) return;
    const due = !this.running || performance.now() - this.lastRead > TELL;
    if (due) this.palette = this.colours;
    const { image, noise } = this.settings.values;
    const { palette } = this;
    plane.draw(palette, (context) => plane.drawChosen(context, image, noise, palette));
    this.mosaic.draw(training.vae, plane.extent);
    this.curve.draw(training.history, palette);
    this.drawChosen(image);
    if (due) this.tell();
  }

  drawChosen(image) {
    const { training, shape } = this;
    const size = training.pixels;
    const { z, logits } = training.vae;
    const at = 2 * LATENTS * image;
    for (let j = 0; j < LATENTS; j++) z.data[j] = training.codes[at + j];
    training.vae.decode();
    for (let k = 0; k < size; k++) this.image[k] = 1 / (1 + Math.exp(-logits.data[k]));
    paint(this.rebuilt, this.image, shape);
    paint(this.original, training.images.subarray(size * image, size * (image + 1)), shape);
  }

  tell() {
    this.lastRead = performance.now();
    const { history, epochs } = this.training;
    const { image, noise } = this.settings.values;
    const [pixels, price] = [history.pixels.at(-1), history.price.at(-1)];
    const words = epochs ? addUp(pixels, price) : "–––";
    this.settings.labels.beta.querySelector("input").disabled = !noise;
    this.facts.show([words[0], noise ? words[1] : "–", words[2]]);
    this.count.textContent = `epoch ${epochs}`;
    if (this.running) return;
    const name = this.plane.names[this.labels[image]];
    const label = (canvas, text) => canvas.setAttribute("aria-label", text);
    label(this.original, `Image ${image}, of class ${name}`);
    label(this.rebuilt, `Image decoded at its code ${tuple(this.z)}`);
    label(this.plane.sheet.node, `Codes of all images after ${epochs} epochs, by class`);
    label(this.curve.sheet.node, `Loss over ${epochs} epochs, now ${words[2]} nats per image`);
  }
}
