// Denoising: codes that dissolve into noise, the arrows that lead back, and a draw that follows them.

import { arrow } from "../arrow.js";
import { paint, view } from "../canvas.js";
import {
  button,
  captioned,
  dials,
  facts,
  group,
  indexed,
  make,
  note,
  number,
  tuple,
} from "../elements.js";
import { exactField, learnedField, levels, wayBack } from "../field.js";
import { LiveFigure } from "../figure.js";
import { Pad } from "../pad.js";
import { Random } from "../random.js";
import { stroke } from "../sheet.js";

const STEPS = 100; // of a way back
const TAIL = 25; // of them that are drawn: early ones leap
const SECONDS = 5; // that it takes to be shown
const ACROSS = 13; // arrows in a row
const LENGTH = 0.45; // of an arrow of unit noise, in distances between arrows
const JUDGED = 200; // codes at which the two fields are compared
const MIXED = 0.6; // the time from which the classes lie on each other
const WAYS = ["probability flow", "reverse SDE"];

const controls = ({ start, seed, plane }) => {
  const { extent } = plane.points;
  const place = (j) => ({
    name: make("span", {}, "start ", indexed("z", j)),
    value: start[j + 1],
    min: -extent,
    max: extent,
    step: 0.05,
  });
  return {
    t: { name: "time t", value: start[0], min: 0, max: 1, step: 0.01 },
    sde: { name: "way", value: 1, off: WAYS[0], on: WAYS[1] },
    exact: { name: "led by", value: 0, off: "the learned field", on: "the exact field" },
    z1: place(0),
    z2: place(1),
    seed: { name: "seed", value: seed, min: 0, max: Math.max(20, seed), step: 1, words: String },
  };
};

export class Denoising extends LiveFigure {
  build(box, config) {
    const { process, mixture } = config;
    this.decoder = this.network(config.model);
    this.fields = [
      exactField(mixture, process),
      learnedField(this.network(config.denoiser), process),
    ];
    this.declare(controls(config));
    const change = ([z1, z2]) => {
      this.stop();
      this.set({ t: 1, z1, z2 });
    };
    this.pad = new Pad({ ...this.planeOf(config.plane), axes: ["z₁", "z₂"], change });
    this.names = this.pad.names;
    this.codes = this.pad.codes;
    const random = new Random(0);
    this.noise = Float32Array.from(this.codes, () => random.normal());
    this.pad.node.addEventListener("pointerup", () => this.play());
    this.arrange(box);
    this.update(["z1"]);
  }

  arrange(box) {
    this.views = [view(), view()];
    const words = ["decoded at the circle", "decoded at the code believed in"];
    const pictures = words.map((text, i) => captioned(this.views[i], text));
    this.facts = facts([
      ["log signal-to-noise ratio λ"],
      ["noise believed in, exact"],
      ["noise believed in, learned"],
      ["the two differ by"],
    ]);
    this.button = button("fall", () => (this.running ? this.stop() : this.play()));
    this.button.classList.add("vaebook-live-play");
    const again = button("new draw", () => this.draw());
    const { t, ...others } = this.settings.labels;
    box.classList.add("vaebook-live-denoising");
    this.lay(
      [this.pad.node, t],
      [group("pictures", ...pictures), this.facts.node],
      group("bar", this.button, again, this.resetButton()),
      dials(others),
      note(
        "Codes of images at time t, under as much noise. Arrows point away from the noise believed in, the thick ones by the exact field of a mixture, the thin ones by the network. Click to begin a way back there; the circle is where it is at time t.",
      ),
    );
  }

  // A live notebook sets the time and where the way begins.
  move([t, z1, z2]) {
    this.set({ t, z1, z2 });
  }

  // Another start, as the seed has it.
  draw() {
    const { seed: last } = this.settings.values;
    const seed = (last + 1) % (this.settings.controls.seed.max + 1);
    const random = new Random(1000 + seed);
    const { extent } = this.pad;
    const inside = () => Math.min(Math.max(random.normal(), -extent), extent);
    this.stop();
    this.set({ t: 1, seed, z1: inside(), z2: inside() });
    this.play();
    this.write();
  }

  stop() {
    this.running = false;
    this.button.textContent = "fall";
  }

  // Who asked for less motion sees a tenth of the way at once, and then the next.
  play() {
    if (this.running) return;
    this.running = true;
    this.button.textContent = "pause";
    if (this.settings.values.t <= 0) this.set({ t: 1 });
    let last = performance.now();
    const frame = (now) => {
      if (!this.running || !this.isConnected) return;
      const passed = (now - last) / 1000;
      if (!this.calm || passed > 1) {
        const step = this.calm ? 0.1 : passed / SECONDS;
        this.set({ t: Math.max(0, this.settings.values.t - Math.max(step, 0)) });
        last = now;
      }
      if (this.settings.values.t > 0) requestAnimationFrame(frame);
      else {
        this.stop();
        this.write();
      }
    };
    requestAnimationFrame(frame);
  }

  update(keys) {
    const { t, z1, z2, sde, exact, seed } = this.settings.values;
    const { process } = this.config;
    if (keys.some((key) => key !== "t")) {
      const field = this.fields[exact ? 0 : 1];
      this.way = wayBack(field, process, [z1, z2], STEPS, sde ? seed : undefined);
    }
    const { alpha, sigma, ratio } = levels(process, t);
    this.here = this.at(t);
    const codes = this.codes.map((value, i) => alpha * value + sigma * this.noise[i]);
    this.pad.load({ codes, labels: this.pad.labels });
    this.pad.names = t < MIXED ? this.names : [];
    this.pad.hold(this.here);
    const noises = this.fields.map((field) => field(this.here, t));
    const led = noises[exact ? 0 : 1];
    const believed = this.here.map((value, j) => (value - sigma * led[j]) / alpha);
    [this.here, believed].forEach((z, i) => {
      paint(this.views[i], this.decoder.decode(Float32Array.from(z)), this.decoder.output);
      const words = i ? "code believed in" : "circle";
      this.views[i].setAttribute("aria-label", `Image decoded at the ${words}, z = ${tuple(z)}`);
    });
    this.facts.show([number(ratio, 1), ...noises.map(tuple), number(this.gap(codes, t))]);
    this.redraw();
    this.z = Float32Array.of(t, z1, z2);
    this.report(this.z);
  }

  // Where the way is at a time between two of its steps.
  at(t) {
    const k = STEPS * (1 - t);
    const low = Math.min(Math.floor(k + 1e-9), STEPS);
    const [from, to] = [this.way[low], this.way[Math.min(low + 1, STEPS)]];
    return from.map((value, j) => value + (k - low) * (to[j] - value));
  }

  // The root of the mean square, per dimension, over codes that are shown.
  gap(codes, t) {
    const n = Math.min(JUDGED, codes.length / 2);
    let sum = 0;
    for (let i = 0; i < n; i++) {
      const z = [codes[2 * i], codes[2 * i + 1]];
      const [exact, learned] = this.fields.map((field) => field(z, t));
      sum += (exact[0] - learned[0]) ** 2 + (exact[1] - learned[1]) ** 2;
    }
    return Math.sqrt(sum / (2 * n));
  }

  redraw() {
    if (!this.way) return;
    const { colours } = this;
    this.pad.draw(colours, (context) => {
      this.drawArrows(context, colours);
      this.drawWay(context, colours);
    });
    const { t } = this.settings.values;
    this.pad.describe(
      `Codes of images under the noise of time ${number(t)}, arrows that lead back, and a circle at ${tuple(this.here)} on its way`,
    );
  }

  // Colours are those of classes; where the two agree, the thin arrow lies within the thick one.
  drawArrows(context, { ink }) {
    const { t } = this.settings.values;
    const { extent, unit } = this.pad;
    const cell = (2 * extent) / ACROSS;
    const middle = (i) => cell * (i + 0.5) - extent;
    for (const [k, width, opacity] of [
      [0, 5, 0.3],
      [1, 1.4, 1],
    ]) {
      context.globalAlpha = opacity;
      for (let i = 0; i < ACROSS ** 2; i++) {
        const z = [middle(i % ACROSS), middle(Math.floor(i / ACROSS))];
        const noise = this.fields[k](z, t);
        const size = Math.hypot(...noise);
        const length = cell * Math.min(LENGTH * size, 0.8);
        if (unit * length < 2) continue;
        const way = noise.map((value) => (-length * value) / size);
        arrow(context, this.pad.place(z), [unit * way[0], -unit * way[1]], ink, width);
      }
      context.globalAlpha = 1;
    }
  }

  drawWay(context, { ink, ground }) {
    const { t } = this.settings.values;
    const now = Math.floor(STEPS * (1 - t) + 1e-9) + 1;
    const passed = this.way.slice(Math.max(0, now - TAIL), now);
    const places = [...passed, this.here].map((z) => this.pad.place(z));
    stroke(context, places, ground, 4.5);
    stroke(context, places, ink, 2);
  }
}
