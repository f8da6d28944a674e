// The latent map: a point in latent space, and what is decoded there.

import { paint, view } from "../canvas.js";
import { captioned, dials, group, indexed, tuple } from "../elements.js";
import { LiveFigure } from "../figure.js";
import { Manifold } from "../manifold.js";
import { Pad } from "../pad.js";

export class LatentMap extends LiveFigure {
  build(box, { model, start, order, extent, plane, symbol }) {
    this.symbol = symbol;
    this.decoder = this.network(model);
    if (start.length !== this.decoder.input) throw new Error("the start has another dimension");
    const control = (j) => [
      `z${j + 1}`,
      { name: indexed(symbol, j), value: start[j], min: -extent, max: extent, step: 0.05 },
    ];
    const { labels } = this.declare(Object.fromEntries(order.map(control)));
    this.canvas = view();
    const picture = captioned(this.canvas, "decoded there");
    const turn = dials(labels);
    const bar = group("bar", this.resetButton());
    if (plane) {
      this.drawMap(plane);
      box.classList.add("vaebook-live-map");
      this.lay([this.pad.node], [group("pictures", picture), turn, bar]);
    } else {
      box.classList.add("vaebook-live-many");
      this.lay([picture], [turn, bar]);
    }
    this.update();
  }

  drawMap(plane) {
    const change = ([z1, z2]) => this.set({ z1, z2 });
    this.pad = new Pad({
      ...this.planeOf(plane),
      axes: [`${this.symbol}₁`, `${this.symbol}₂`],
      change,
    });
    this.manifold = Manifold.of(this, this.decoder, this.pad);
  }

  // A live notebook sets the point.
  move(z) {
    this.set(Object.fromEntries(Array.from(z, (value, j) => [`z${j + 1}`, value])));
  }

  update() {
    const { values } = this.settings;
    this.z = Float32Array.from({ length: this.decoder.input }, (_, j) => values[`z${j + 1}`]);
    paint(this.canvas, this.decoder.decode(this.z), this.decoder.output);
    this.canvas.setAttribute("aria-label", `Image decoded at ${this.symbol} = ${tuple(this.z)}`);
    this.pad?.hold(this.z);
    this.redraw();
    this.report(this.z);
  }

  redraw() {
    if (!this.pad) return;
    this.pad.draw(this.colours, null, [this.manifold]);
    this.pad.describe(`Codes of images, and a circle at ${this.symbol} = ${tuple(this.z)}`);
  }
}
