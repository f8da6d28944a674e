// The twins: one cursor, two decoders of heatmaps, and how valid is what they draw.

import { paint, view } from "../canvas.js";
import { INKS, captioned, facts, group, indexed, note, number, tuple } from "../elements.js";
import { LiveFigure } from "../figure.js";
import { HEATMAP, fitHeatmap, outline } from "../heatmaps.js";
import { Manifold } from "../manifold.js";
import { decodeAlong } from "../network.js";
import { Pad } from "../pad.js";

export class Twins extends LiveFigure {
  build(box, { twins, start, plane }) {
    const { extent } = plane.points;
    const decoders = twins.map(({ model }) => this.network(model));
    this.twins = twins.map((twin, i) => ({ ...twin, decoder: decoders[i], canvas: view() }));
    const control = (value, j) => [
      `u${j + 1}`,
      { name: indexed("u", j), value, min: -extent, max: extent, step: 0.05 },
    ];
    const { labels } = this.declare(Object.fromEntries(start.map(control)));
    const change = ([u1, u2]) => this.set({ u1, u2 });
    this.pad = new Pad({ ...this.planeOf(plane), axes: ["u₁", "u₂"], change });
    this.outlines = this.twins.map((twin, i) => {
      const decode = (u1, u2) => outline(decodeAlong(twin, [u1, u2, this.settings.values.u3]));
      const look = { colour: INKS[i], strength: 0.55 };
      return new Manifold(this, decode, HEATMAP, extent, look);
    });
    const pictures = this.twins.map(({ canvas, title }, i) => captioned(canvas, title, INKS[i]));
    const titles = this.twins.map(({ title }, i) => [title, INKS[i]]);
    this.facts = titles.map((title) =>
      facts([title, ["away from any heatmap"], ["nearest: variances"], ["correlation"]]),
    );
    box.classList.add("vaebook-live-twins");
    this.lay(
      [this.pad.node],
      [group("pictures", ...pictures)],
      group("dials", ...Object.values(labels), group("bar", this.resetButton())),
      group("pair", ...this.facts.map(({ node }) => node)),
      note(
        "u are the codes of each model along the axes that are given for it, in standard deviations. The map shows u₁ and u₂ of both; under them stand the outlines, at half of the largest pixel, of what each decodes at this u₃.",
      ),
    );
    this.update(["u3"]);
  }

  move([u1, u2, u3]) {
    this.set({ u1, u2, u3 });
  }

  update(keys) {
    this.z = Float32Array.from(Object.values(this.settings.values));
    this.twins.forEach((twin, i) => this.facts[i].show(["", ...this.show(twin)]));
    this.pad.hold(this.z);
    if (keys.includes("u3")) for (const each of this.outlines) each.begin();
    this.redraw();
    this.report(this.z);
  }

  // Draw what one of them decodes, and return what is to be said of it.
  show(twin) {
    const { canvas, title } = twin;
    const image = decodeAlong(twin, this.z);
    paint(canvas, image, HEATMAP);
    const { varX, varY, corr, relative } = fitHeatmap(image);
    const share = `${number(100 * relative, 1)} %`;
    const words = `Heatmap decoded by the ${title}, ${share} away from any true one`;
    canvas.setAttribute("aria-label", words);
    return [share, `${number(varX)}, ${number(varY)}`, number(corr)];
  }

  redraw() {
    this.pad.draw(this.colours, null, this.outlines);
    this.pad.describe(`Codes of both models, and a circle at u = ${tuple(this.z)}`);
  }
}
