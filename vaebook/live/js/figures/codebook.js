// A codebook in the plane: vectors to drag, their cells, and what replacing codes by vectors costs.

import { paint, thumbnail, view } from "../canvas.js";
import { cell, lloyd, restart, usage } from "../cells.js";
import { INKS, button, captioned, facts, group, note, number, tuple } from "../elements.js";
import { LiveFigure } from "../figure.js";
import { Pad } from "../pad.js";
import { Random } from "../random.js";
import { stroke } from "../sheet.js";

const PAUSE = 300; // milliseconds between steps
const STILL = 1e-4; // a vector that moves less has arrived
const [LEAST, MOST] = [18, 28]; // CSS pixels of what is decoded, on the plane

// A plane with the borders of cells in place of the circles of N(0, I).
class CellPad extends Pad {
  // Of a picture: five of them side by side have to be told apart on a phone.
  get side() {
    return Math.min(Math.max(Math.round(this.sheet.width / 18), LEAST), MOST);
  }

  drawPrior(context, ink) {
    (this.cells ?? []).forEach((corners) => {
      const places = [...corners, corners[0]].map((place) => this.place(place));
      stroke(context, places, ink, 1.5);
    });
  }
}

export class Codebook extends LiveFigure {
  build(box, config) {
    const { vectors } = config;
    this.decoder = this.network(config.model);
    this.random = new Random(0);
    const [, height, width] = this.decoder.output;
    const blank = new Float32Array(this.decoder.output[0] * height * width);
    this.small = vectors.map(() => thumbnail(blank, this.decoder.output));
    this.pad = new CellPad({
      ...this.planeOf(config.plane),
      axes: ["z₁", "z₂"],
      change: (place) => {
        this.stop();
        this.set(this.placed([place], this.settings.values.vector));
      },
    });
    this.declare(this.controls(vectors));
    // The nearest vector is taken before the plane sees that the pointer went down.
    this.pad.node.addEventListener("pointerdown", (event) => this.take(event), true);
    this.arrange(box);
    this.update(Object.keys(this.settings.values));
  }

  controls(vectors) {
    const { extent } = this.pad;
    const found = {
      vector: {
        name: "decoded at the vectors",
        pictures: this.small,
        value: 0,
        words: (i) => `vector ${i + 1}`,
      },
    };
    vectors.forEach((place, k) => {
      ["x", "y"].forEach((axis, j) => {
        const name = `${axis} of vector ${k + 1}`;
        found[`${axis}${k + 1}`] = {
          name,
          value: place[j],
          min: -extent,
          max: extent,
          step: 0.01,
        };
      });
    });
    return found;
  }

  arrange(box) {
    this.view = view();
    this.facts = facts([
      ["squared distance"],
      ["in use"],
      ["effective number"],
      ["log of number, nats"],
      ["entropy, nats"],
    ]);
    this.button = button("run", () => (this.running ? this.stop() : this.run()));
    this.button.classList.add("vaebook-live-play");
    box.classList.add("vaebook-live-codebook");
    this.lay(
      [this.pad.node],
      [captioned(this.view, "decoded at the chosen vector"), this.facts.node],
      this.settings.labels.vector,
      group(
        "bar",
        button("k-means step", () => this.step()),
        this.button,
        button("restart the dead", () => this.restart()),
        this.resetButton(),
      ),
      note(
        "Drag a vector, or move the chosen one by the arrow keys. A code is replaced by the vector in whose cell it lies. Vectors that no code is nearest to have a dashed frame: they are dead. The squared distance is the mean over the codes; the entropy is that of the frequencies of the vectors.",
      ),
    );
  }

  get codes() {
    return this.pad.codes;
  }

  get vectors() {
    const { values } = this.settings;
    return this.small.map((_, k) => [values[`x${k + 1}`], values[`y${k + 1}`]]);
  }

  // Places of vectors, from number `first` on, as settings.
  placed(places, first = 0) {
    const pairs = places.flatMap(([x, y], i) => [
      [`x${first + i + 1}`, x],
      [`y${first + i + 1}`, y],
    ]);
    return Object.fromEntries(pairs);
  }

  take(event) {
    const [x, y] = this.pad.under(event);
    const far = this.vectors.map(([u, v]) => Math.hypot(u - x, v - y));
    this.set({ vector: far.indexOf(Math.min(...far)) });
  }

  // A live notebook sets the place of the chosen vector.
  move(place) {
    this.set(this.placed([Array.from(place)], this.settings.values.vector));
  }

  // Whether anything moved.
  step() {
    const before = this.vectors;
    const after = lloyd(this.codes, before);
    this.set(this.placed(after));
    const moved = after.map(([x, y], k) => Math.hypot(x - before[k][0], y - before[k][1]));
    return Math.max(...moved) > STILL;
  }

  restart() {
    this.set(this.placed(restart(this.codes, this.vectors, this.random)));
  }

  stop() {
    this.running = false;
    this.button.textContent = "run";
  }

  // Who asked for less motion sees the end at once.
  run() {
    if (this.calm) {
      for (let turn = 0; turn < 500 && this.step(); turn++);
      return;
    }
    this.running = true;
    this.button.textContent = "pause";
    const turn = () => {
      if (!this.running || !this.isConnected) return;
      if (this.step()) setTimeout(turn, PAUSE);
      else {
        this.stop();
        this.write();
      }
    };
    turn();
  }

  update(keys) {
    const { vectors } = this;
    const shape = this.decoder.output;
    vectors.forEach((place, k) => {
      if (!keys.includes(`x${k + 1}`)) return;
      paint(this.small[k], this.decoder.decode(Float32Array.from(place)), shape);
    });
    const { vector } = this.settings.values;
    this.pad.hold(vectors[vector]);
    this.pad.free = vectors;
    paint(this.view, this.decoder.decode(Float32Array.from(vectors[vector])), shape);
    this.view.setAttribute("aria-label", `Image decoded at vector ${vector + 1}`);
    this.found = usage(this.codes, vectors);
    const { counts, distance, entropy } = this.found;
    const used = counts.filter(Boolean).length;
    this.facts.show([
      number(distance, 3),
      `${used} of ${vectors.length}`,
      number(Math.exp(entropy), 1),
      number(Math.log(vectors.length)),
      number(entropy),
    ]);
    this.redraw();
    this.z = Float32Array.from(vectors[vector]);
    this.report(this.z);
  }

  redraw() {
    if (!this.found) return;
    const { vectors, colours } = this;
    const { vector } = this.settings.values;
    this.pad.cells = vectors.map((_, k) => cell(vectors, k, this.pad.extent)).filter((c) => c[0]);
    const frame = this.pad.side + 6;
    Object.assign(this.pad.handle.style, {
      width: `${frame}px`,
      height: `${frame}px`,
      margin: `${-frame / 2}px`,
    });
    this.pad.draw(colours, (context) => this.drawVectors(context, colours.ink));
    const dead = this.found.counts.filter((n) => !n).length;
    this.pad.describe(
      `Codes of images in the cells of ${vectors.length} vectors, ${dead} of them dead; vector ${vector + 1} at ${tuple(vectors[vector])} is chosen`,
    );
  }

  drawVectors(context, ink) {
    const { side } = this.pad;
    this.vectors.forEach((vector, k) => {
      const [left, top] = this.pad.place(vector).map((value) => value - side / 2);
      const alive = this.found.counts[k] > 0;
      context.globalAlpha = alive ? 1 : 0.6;
      context.imageSmoothingEnabled = false;
      context.drawImage(this.small[k], left, top, side, side);
      context.globalAlpha = 1;
      const [right, bottom] = [left + side, top + side];
      const frame = [
        [left, top],
        [right, top],
        [right, bottom],
        [left, bottom],
        [left, top],
      ];
      stroke(context, frame, alive ? ink : INKS[1], 2, alive ? [] : [4, 3]);
    });
  }
}
