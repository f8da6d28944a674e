// Chains: pCN and a random walk on the posterior of one image.

import { pixelsOf } from "../bytes.js";
import { paint, sheet, stroke, view } from "../canvas.js";
import { Chain, KEPT, KERNELS } from "../chain.js";
import {
  INKS,
  button,
  captioned,
  dial,
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
import { pad } from "../pad.js";

export class Chains extends LiveFigure {
  build(box, { model, image, start, extent, step, seed }) {
    this.decoder = this.network(model);
    this.image = pixelsOf(image);
    this.step = step;
    this.seed = seed;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.pad = pad(this.cloud(), extent, (x, y) => this.restart([x, y]));
    this.drawn = view();
    const seen = view();
    seen.setAttribute("aria-label", "the observed image");
    paint(seen, this.image, this.decoder.output);
    this.facts = facts([["pCN accepted", INKS[0]], ["random walk accepted", INKS[1]], ["steps"]]);
    this.trace = sheet(140);
    this.places = [0, 1].map((j) =>
      dial({
        name: make("span", {}, "start ", indexed("z", j)),
        min: -extent,
        max: extent,
        step: 0.05,
        value: start[j],
        change: (value) => this.restart(this.start.with(j, value)),
      }),
    );
    this.run = button("run", () => this.toggle());
    const more = button("500 steps", () => {
      this.advance(500);
      this.redraw();
    });
    const again = button("start again", () => this.restart());
    box.append(
      group(
        "stage",
        this.pad.node,
        group("pictures", captioned(seen, "observed"), captioned(this.drawn, "decoded, pCN")),
      ),
      this.stepDial(step).label,
      dials(this.places),
      group("bar", this.run, more, again),
      this.facts.node,
      this.trace.node,
      note(
        `log p(x|z) over the last ${KEPT} steps. Drag the circle, or move it with the two dials, to start elsewhere.`,
      ),
    );
    this.restart(start);
    new ResizeObserver(() => this.redraw()).observe(this.trace.node);
  }

  // On a logarithmic scale.
  stepDial(step) {
    const change = (value) => {
      this.step = 10 ** value;
      this.restart();
    };
    const words = (value) => number(10 ** value, 3);
    return dial({
      name: "step",
      min: -3,
      max: 0,
      step: 0.05,
      value: Math.log10(step),
      words,
      change,
    });
  }

  // A live notebook reads and sets where the chains start.
  move(start) {
    this.restart(start);
  }

  restart(start = this.start) {
    this.start = Array.from(start);
    this.z = Float32Array.from(start);
    const logProb = (z) => this.decoder.logProb(this.image, z);
    this.chains = Object.keys(KERNELS).map(
      (kind, i) => new Chain(kind, logProb, start, this.seed + i),
    );
    this.places.forEach(({ show }, j) => show(this.start[j]));
    this.pad.show(...this.start);
    this.redraw();
    this.report(this.z);
  }

  advance(n) {
    for (let i = 0; i < n; i++) for (const chain of this.chains) chain.advance(this.step);
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
        this.redraw();
        last = now;
      }
      requestAnimationFrame(frame);
    };
    if (this.running) requestAnimationFrame(frame);
  }

  redraw() {
    const [pcn] = this.chains;
    paint(this.drawn, this.decoder.decode(pcn.z), this.decoder.output);
    this.drawn.setAttribute("aria-label", `Image decoded where pCN is, z = ${tuple(pcn.z)}`);
    const rate = ({ accepted, steps }) =>
      steps ? `${number((100 * accepted) / steps, 0)} %` : "–";
    this.facts.show([...this.chains.map(rate), String(pcn.steps)]);
    this.drawTraces();
    this.drawPaths();
  }

  drawTraces() {
    const { context, width, height } = this.trace.open(this.ink, "end");
    const levels = this.chains.flatMap(({ trace }) => trace);
    const top = Math.max(...levels);
    const bottom = Math.min(...levels, top - 1);
    const at = (level, i) => [
      4 + ((width - 88) * i) / KEPT,
      8 + ((height - 16) * (top - level)) / (top - bottom),
    ];
    this.chains.forEach(({ trace }, k) => stroke(context, trace.map(at), INKS[k]));
    if (this.chains[0].steps) {
      context.fillText(`${number(top, 1)} nats`, width - 4, 12);
      context.fillText(`${number(bottom, 1)} nats`, width - 4, height - 6);
    }
    const words = `Traces of log p(x|z) between ${number(bottom, 1)} and ${number(top, 1)} nats`;
    this.trace.node.setAttribute("aria-label", words);
  }

  drawPaths() {
    const { context, place } = this.pad.open();
    for (const k of [1, 0]) {
      const path = this.chains[k].path.map(place);
      stroke(context, path, "#fff", 3.5);
      stroke(context, path, INKS[k], 1.8);
    }
  }
}
