// The latent map: a point in latent space, and what is decoded there.

import { paint, view } from "../canvas.js";
import { button, dial, dials, group, indexed, tuple } from "../elements.js";
import { LiveFigure } from "../figure.js";
import { pad } from "../pad.js";

export class LatentMap extends LiveFigure {
  build(box, { model, start, order, extent }) {
    this.decoder = this.network(model);
    if (start.length !== this.decoder.input) throw new Error("the start has another dimension");
    this.order = order;
    this.canvas = view();
    const stage = group("stage", this.canvas);
    if (start.length === 2) {
      this.pad = pad(this.cloud(), extent, (x, y) => this.move([x, y]));
      stage.prepend(this.pad.node);
    }
    this.dials = order.map((j) =>
      dial({
        name: indexed("z", j),
        min: -extent,
        max: extent,
        step: 0.05,
        value: start[j],
        change: (value) => this.move(this.z.with(j, value)),
      }),
    );
    const back = button("back to the start", () => this.move(start));
    box.append(stage, dials(this.dials), group("bar", back));
    this.move(start);
  }

  move(z) {
    this.z = Float32Array.from(z);
    paint(this.canvas, this.decoder.decode(this.z), this.decoder.output);
    this.canvas.setAttribute("aria-label", `Image decoded at z = ${tuple(this.z)}`);
    this.order.forEach((j, i) => this.dials[i].show(this.z[j]));
    this.pad?.show(...this.z);
    this.report(this.z);
  }
}
