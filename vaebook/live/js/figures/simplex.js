// The temperature on the simplex: draws of Gumbel-softmax in the triangle of three categories, and
// bias and noise of the gradient that they give.

import { INKS, button, dials, facts, group, note, number } from "../elements.js";
import { LiveFigure } from "../figure.js";
import { Pad } from "../pad.js";
import { Random } from "../random.js";
import { gumbelSoftmax, gumbels, relaxed, softmax, straight } from "../relaxed.js";
import { FONT, Sheet, stroke, word } from "../sheet.js";

const SHOWN = 500; // draws in the triangle
const DRAWS = 3000; // behind bias and noise, at each temperature
const LOW = 0.001; // of a share, for whoever drags to the edge
const [LEFT, FOOT, HEAD] = [38, 34, 8]; // CSS pixels about the curves
const [LEAST, MOST] = [0.01, 100]; // of the curves' axis

// A plane with the triangle in place of the circles of N(0, I), and names at its corners.
class Triangle extends Pad {
  drawPrior(context, ink) {
    const [a, b, c] = this.corners.map((corner) => this.place(corner));
    context.globalAlpha = 0.6;
    stroke(context, [a, b, c, a], ink);
    context.globalAlpha = 1;
  }

  get centres() {
    const [x, y] = [0, 1].map((j) => this.corners.reduce((sum, at) => sum + at[j] / 3, 0));
    return this.corners.map(([u, v]) => [x + 1.09 * (u - x), y + 1.09 * (v - y)]);
  }
}

export class Simplex extends LiveFigure {
  build(box, config) {
    Object.assign(this, { aim: config.aim, choices: config.choices, corners: config.corners });
    this.random = new Random(0);
    const { labels } = this.declare(this.controls(config));
    this.pad = new Triangle({
      ...config.plane,
      codes: new Float32Array(0),
      labels: [],
      resized: () => this.redraw(),
      change: (place) => this.set(this.logitsAt(place)),
    });
    this.pad.corners = this.corners;
    this.sheet = new Sheet("vaebook-live-cut", () => this.redraw());
    this.facts = facts([
      ["probabilities"],
      ["shares of the corners"],
      ["bias of the gradient", INKS[0]],
      ["noise of one draw", INKS[1]],
      ["straight-through: bias"],
      ["straight-through: noise"],
    ]);
    box.classList.add("vaebook-live-simplex");
    this.lay(
      [this.pad.node],
      [this.sheet.node, this.facts.node],
      dials(labels),
      group(
        "bar",
        button("draw again", () => this.drawAgain()),
        this.resetButton(),
      ),
      note(
        "Each point is a draw, in the colour of the corner that it is nearest to. Drag the ring, or move it by the arrow keys: it is at the probabilities. Bias and noise are those of the gradient in the logits, of f(y) = (y₁ − y₂ + y₃/2)² + y₁ − y₂ + y₃/2, as multiples of the exact gradient; behind ± is what of the bias is chance, and where it is more than half there is no line.",
      ),
    );
    this.drawAgain();
  }

  controls({ start, choices }) {
    const [temperature, ...logits] = start;
    const words = (value) => number(value, value < 0.1 ? 3 : 2);
    const found = { t: { name: "temperature τ", value: temperature, choices, words } };
    logits.forEach((value, k) => {
      const name = `logit of ${k + 1}`;
      found[`l${k + 1}`] = { name, value, min: -4, max: 4, step: 0.01 };
    });
    return found;
  }

  get logits() {
    return this.corners.map((_, k) => this.settings.values[`l${k + 1}`]);
  }

  // The logits with mean zero whose probabilities lie nearest to a place of the plane.
  logitsAt([x, y]) {
    const [[left, foot], [right], [, head]] = this.corners;
    const top = (y - foot) / (head - foot);
    const second = (x - left) / (right - left) - top / 2;
    const kept = [1 - second - top, second, top].map((share) => Math.max(share, LOW));
    const sum = kept.reduce((a, b) => a + b);
    const logs = kept.map((share) => Math.log(share / sum));
    const middle = logs.reduce((a, b) => a + b) / logs.length;
    const within = (value) => Math.min(Math.max(value, -4), 4);
    return Object.fromEntries(logs.map((log, k) => [`l${k + 1}`, within(log - middle)]));
  }

  placeOf(shares) {
    return [0, 1].map((j) => shares.reduce((sum, q, k) => sum + q * this.corners[k][j], 0));
  }

  // The nearest choice, as ratios go.
  move([temperature, ...logits]) {
    const away = (choice) => Math.abs(Math.log(choice / Math.max(temperature, 1e-9)));
    const t = this.choices.reduce((best, next) => (away(next) < away(best) ? next : best));
    this.set({ t, ...Object.fromEntries(logits.map((logit, k) => [`l${k + 1}`, logit])) });
  }

  drawAgain() {
    this.noise = gumbels(this.random, DRAWS, this.corners.length);
    this.update(Object.keys(this.settings.values));
  }

  update(keys) {
    const { logits, noise, aim } = this;
    const { t } = this.settings.values;
    const q = softmax(logits);
    const y = relaxed(logits, noise.slice(0, SHOWN), t);
    const owners = y.map((shares) => shares.indexOf(Math.max(...shares)));
    this.pad.load({
      codes: Float32Array.from(y.flatMap((shares) => this.placeOf(shares))),
      labels: owners,
    });
    this.pad.hold(this.placeOf(q));
    // The curves are those of all temperatures, which a dial of one leaves as they are.
    if (keys.some((key) => key !== "t")) {
      this.line = this.choices.map((choice) => gumbelSoftmax(logits, aim, noise, choice));
      this.straight = straight(logits, aim);
    }
    const here = this.line[this.choices.indexOf(t)];
    const counts = q.map((_, k) => owners.filter((owner) => owner === k).length / SHOWN);
    const listed = (values) => values.map((value) => number(value)).join(", ");
    this.facts.show([
      listed(q),
      listed(counts),
      `${number(here.bias)} ± ${number(here.chance)}`,
      number(here.noise),
      number(this.straight.bias),
      number(this.straight.noise),
    ]);
    this.pad.describe(
      `${SHOWN} draws at the temperature ${t} in a triangle of three categories with the probabilities ${listed(q)}`,
    );
    this.sheet.node.setAttribute(
      "aria-label",
      `Bias and noise of the gradient by the temperature, which is ${t}: the bias is ${number(here.bias)} and the noise ${number(here.noise)} of the exact gradient`,
    );
    this.redraw();
    this.z = Float32Array.of(t, ...logits);
    this.report(this.z);
  }

  redraw() {
    if (!this.line) return;
    this.pad.draw(this.colours);
    this.drawCurves();
  }

  drawCurves() {
    const { choices, line, colours } = this;
    const { ink, ground } = colours;
    const context = this.sheet.open();
    const { width, height } = this.sheet;
    if (!width) return;
    const share = (value, low, high) => Math.log(value / low) / Math.log(high / low);
    const across = (t) => LEFT + (width - LEFT - 8) * share(t, choices[0], choices.at(-1));
    const up = (value) => HEAD + (height - HEAD - FOOT) * (1 - share(value, LEAST, MOST));
    Object.assign(context, { font: `12px ${FONT}`, fillStyle: ink, textAlign: "right" });
    for (const level of [0.01, 0.1, 1, 10, 100]) {
      const ends = [LEFT, width - 8].map((x) => [x, up(level)]);
      stroke(context, ends, level === 1 ? ink : "#8884", 1);
      context.fillText(String(level), LEFT - 5, up(level) + 4);
    }
    context.textAlign = "center";
    for (const t of [0.05, 0.2, 1, 5]) context.fillText(String(t), across(t), height - 20);
    context.fillText("temperature τ", (LEFT + width) / 2, height - 4);
    const { t } = this.settings.values;
    const now = [HEAD, height - FOOT].map((y) => [across(t), y]);
    stroke(context, now, ink, 1, [2, 4]);
    // Where the bias can't be told from chance there is no line of it.
    const told = line.map(({ bias, chance }) => bias > 2 * chance);
    ["bias", "noise"].forEach((key, i) => {
      const places = line.flatMap((found, k) => {
        const value = Math.min(Math.max(found[key], LEAST), MOST);
        return i || told[k] ? [[across(choices[k]), up(value)]] : [];
      });
      if (!places.length) return;
      stroke(context, places, INKS[i], 2.5, i ? [7, 4] : []);
      Object.assign(context, { textAlign: i ? "left" : "right", textBaseline: "bottom" });
      const [x, y] = places.at(i ? 1 : -1);
      word(context, key, [x, y - 4], INKS[i], ground);
      context.textBaseline = "alphabetic";
    });
  }
}
