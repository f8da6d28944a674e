// A run that a kernel does: the codes after its last epoch, and the loss so far.

import { pointsOf } from "../bytes.js";
import { Curve } from "../curve.js";
import { TERMS, addUp, facts } from "../elements.js";
import { LiveFigure } from "../figure.js";
import { LearningPlane } from "../learning.js";

export class Run extends LiveFigure {
  build(box, config) {
    this.declare({});
    this.plane = new LearningPlane({ ...this.planeOf(config.plane), axes: config.axes });
    this.curve = new Curve(config.ceiling, () => this.redraw(), config.epochs);
    this.facts = facts([
      ["reconstruction", TERMS.reconstruction],
      ["β KL", TERMS.kl],
      ["loss, nats"],
    ]);
    box.classList.add("vaebook-live-run");
    this.lay([this.plane.node], [this.curve.sheet.node, this.facts.node]);
    this.renew(config);
  }

  // A live notebook hands over what has come of another epoch.
  renew({ plane, axes, history }) {
    this.history = history;
    this.plane.codes = pointsOf(plane.points).codes;
    this.plane.axes = axes;
    const [pixels, price] = [history.pixels.at(-1), history.price.at(-1)];
    const words = addUp(pixels, price, 1);
    this.facts.show(words);
    const epochs = `${history.pixels.length} epochs`;
    this.plane.describe(`Codes of images after ${epochs}, by class`);
    const loss = `Loss over ${epochs}, now ${words[2]} nats per image`;
    this.curve.sheet.node.setAttribute("aria-label", loss);
    this.glide();
  }

  // Bring the points to their new places.
  glide() {
    const still = this.plane.move(this.calm ? 1 : undefined);
    this.redraw();
    cancelAnimationFrame(this.frame);
    if (!still && this.isConnected) this.frame = requestAnimationFrame(() => this.glide());
  }

  redraw() {
    this.plane.draw(this.colours);
    this.curve.draw(this.history, this.colours);
  }
}
