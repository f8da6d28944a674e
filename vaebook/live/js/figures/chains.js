// Chains: pCN and a random walk on the posterior of one image.

import { pixelsOf } from "../bytes.js";
import { paint, view } from "../canvas.js";
import { Chain, KEPT, KERNELS } from "../chain.js";
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
import { LiveFigure } from "../figure.js";
import { Manifold } from "../manifold.js";
import { Pad } from "../pad.js";
import { FONT, Sheet, rings, stroke } from "../sheet.js";

const STEPS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1];
const SHORT = ["pCN", "walk"];
const OPENING = 300; // steps that are shown at first
const NEAR = 80; // steps in the close-up
const MARKED = 6; // moves of a chain that are marked
const MARK = "currentColor"; // beside the words about a chain, in the style of its line
// The classes have the colours: the chains are told apart by their lines.
const LINES = [
  { width: 2, dash: [], solid: true },
  { width: 1.6, dash: [5, 3], solid: false },
];

const controls = ({ start, step, seed, plane }) => {
  const { extent } = plane.points;
  const place = (j) => ({
    name: make("span", {}, "start ", indexed("z", j)),
    value: start[j],
    min: -extent,
    max: extent,
    step: 0.05,
  });
  const choices = [...new Set([...STEPS, step])].sort((a, b) => a - b);
  return {
    step: { name: "step", value: step, choices },
    z1: place(0),
    z2: place(1),
    seed: { name: "seed", value: seed, min: 0, max: Math.max(20, seed), step: 1, words: String },
  };
};

export class Chains extends LiveFigure {
  build(box, config) {
    this.decoder = this.network(config.model);
    this.image = pixelsOf(config.image);
    this.declare(controls(config));
    const change = ([z1, z2]) => this.set({ z1, z2 });
    this.pad = new Pad({ ...this.planeOf(config.plane), axes: ["z₁", "z₂"], change });
    this.manifold = Manifold.of(this, this.decoder, this.pad);
    this.trace = new Sheet("vaebook-live-trace", () => this.redraw());
    this.near = new Sheet("vaebook-live-near", () => this.redraw());
    this.arrange(box);
    this.update();
    this.whenNear(() => this.advance(OPENING));
  }

  arrange(box) {
    const seen = view();
    seen.setAttribute("aria-label", "the observed image");
    paint(seen, this.image, this.decoder.output);
    this.views = Object.keys(KERNELS).map(() => view());
    const decoded = Object.keys(KERNELS).map((kind, k) =>
      captioned(this.views[k], `decoded, ${SHORT[k]}`, MARK),
    );
    this.facts = facts([["pCN accepted", MARK], ["walk accepted", MARK], ["steps"]]);
    this.run = button("run", () => this.toggle());
    this.run.classList.add("vaebook-live-play");
    const more = button("500 steps", () => this.advance(500));
    const again = button("start again", () => this.update());
    const near = captioned(this.near.node, "");
    this.scale = near.lastChild;
    const pictures = group("pictures", captioned(seen, "observed"), near, ...decoded);
    box.classList.add("vaebook-live-chains");
    this.lay(
      [this.pad.node],
      [pictures],
      this.trace.node,
      this.facts.node,
      group("bar", this.run, more, again, this.resetButton()),
      dials(this.settings.labels),
      note(
        `Solid: pCN; dashed: the random walk. The paths show the last ${KEPT} steps, the close-up ${NEAR}; dots mark the last accepted moves. The traces are of log p(x|z), in nats. Drag the circle to start elsewhere.`,
      ),
    );
  }

  // A live notebook reads and sets where the chains start.
  move([z1, z2]) {
    this.set({ z1, z2 });
  }

  update() {
    const { z1, z2, seed } = this.settings.values;
    this.z = Float32Array.of(z1, z2);
    const logProb = (z) => this.decoder.logProb(this.image, z);
    this.chains = Object.keys(KERNELS).map(
      (kind, i) => new Chain(kind, logProb, this.z, seed + i),
    );
    this.pad.hold(this.z);
    this.tell();
    this.report(this.z);
  }

  advance(n) {
    const { step } = this.settings.values;
    for (let i = 0; i < n; i++) for (const chain of this.chains) chain.advance(step);
    this.tell();
  }

  toggle() {
    this.running = !this.running;
    this.run.textContent = this.running ? "pause" : "run";
    // Who asked for less motion sees a new picture once a second.
    let last = 0;
    const frame = (now) => {
      if (!this.running || !this.isConnected) return;
      if (!this.calm || now - last > 1000) {
        this.advance(this.calm ? 100 : 3);
        last = now;
      }
      requestAnimationFrame(frame);
    };
    if (this.running) requestAnimationFrame(frame);
  }

  // What the chains have come to.
  tell() {
    this.chains.forEach(({ z }, k) => {
      paint(this.views[k], this.decoder.decode(z), this.decoder.output);
      const kind = Object.keys(KERNELS)[k];
      this.views[k].setAttribute("aria-label", `Image decoded where ${kind} is, z = ${tuple(z)}`);
    });
    const rate = ({ accepted, steps }) =>
      steps ? `${number((100 * accepted) / steps, 0)} %` : "–";
    this.facts.show([...this.chains.map(rate), String(this.chains[0].steps)]);
    this.redraw();
  }

  redraw() {
    if (!this.chains) return;
    const { colours } = this;
    this.drawTraces(colours);
    this.drawNear(colours);
    const paths = this.chains.map(({ path }) => path);
    const place = (z) => this.pad.place(z);
    const over = (context) => this.drawPaths(context, colours, paths, place);
    this.pad.draw(colours, over, [this.manifold]);
    this.pad.describe(`Codes of images, and two chains that start at ${tuple(this.z)}`);
  }

  drawTraces({ ink }) {
    const context = this.trace.open();
    const { width, height } = this.trace;
    const levels = this.chains.flatMap(({ trace }) => trace);
    const top = Math.max(...levels);
    const bottom = Math.min(...levels, top - 1);
    const at = (level, i) => [
      4 + ((width - 88) * i) / KEPT,
      8 + ((height - 16) * (top - level)) / (top - bottom),
    ];
    this.chains.forEach(({ trace }, k) => {
      stroke(context, trace.map(at), ink, 1.5, LINES[k].dash);
    });
    Object.assign(context, { fillStyle: ink, font: `12px ${FONT}`, textAlign: "right" });
    if (this.chains[0].steps) {
      context.fillText(`${number(top, 1)} nats`, width - 2, 12);
      context.fillText(`${number(bottom, 1)} nats`, width - 2, height - 4);
    }
    const words = `Traces of log p(x|z) between ${number(bottom, 1)} and ${number(top, 1)} nats`;
    this.trace.node.setAttribute("aria-label", words);
  }

  // Both paths in the least square about the last steps, which may be far smaller than the plane.
  drawNear(colours) {
    const paths = this.chains.map(({ path }) => path.slice(-NEAR));
    const ends = [0, 1].map((j) => {
      const values = paths.flat().map((z) => z[j]);
      return [Math.min(...values), Math.max(...values)];
    });
    const half = 0.55 * Math.max(0.02, ...ends.map(([low, high]) => high - low));
    const [x, y] = ends.map(([low, high]) => (low + high) / 2);
    const context = this.near.open();
    const { width } = this.near;
    const unit = width / (2 * half);
    const place = ([u, v]) => [width / 2 + unit * (u - x), width / 2 - unit * (v - y)];
    this.drawPaths(context, colours, paths, place);
    this.scale.textContent = `close-up, ${number(2 * half)} wide`;
    const words = `Paths of both chains near ${tuple([x, y])}, in a square ${number(2 * half)} wide`;
    this.near.node.setAttribute("aria-label", words);
  }

  drawPaths(context, { ink, ground }, paths, place) {
    for (const k of [1, 0]) {
      const path = paths[k];
      const { width, dash, solid } = LINES[k];
      const places = path.map(place);
      stroke(context, places, ground, 3.5);
      stroke(context, places, ink, width, dash);
      const moves = places.filter((_, i) => i && path[i] !== path[i - 1]).slice(-MARKED);
      Object.assign(context, {
        fillStyle: solid ? ink : ground,
        strokeStyle: ink,
        lineWidth: 1.5,
      });
      for (const [x, y] of moves) {
        context.beginPath();
        context.arc(x, y, 3.2, 0, 2 * Math.PI);
        context.fill();
        context.stroke();
      }
      if (path.length > 1) rings(context, places.at(-1), [[6, 6]], ink, ground, 2.5);
    }
  }
}
