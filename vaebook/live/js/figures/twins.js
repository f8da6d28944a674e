// The twins: one cursor, two decoders of heatmaps, and how valid is what they draw.

import { paint, view } from "../canvas.js";
import { INKS, captioned, dial, dials, facts, group, indexed, note, number } from "../elements.js";
import { LiveFigure } from "../figure.js";
import { HEATMAP, fitHeatmap } from "../heatmaps.js";
import { pad } from "../pad.js";

export class Twins extends LiveFigure {
  build(box, { twins, extent, start }) {
    this.twins = twins.map((twin) => ({
      ...twin,
      decoder: this.network(twin.model),
      canvas: view(),
    }));
    this.pad = pad(this.cloud(), extent, (x, y) => this.move([x, y, this.z[2]]));
    const pictures = this.twins.map(({ canvas, title }, i) => captioned(canvas, title, INKS[i]));
    this.dials = start.map((value, j) => {
      const change = (v) => this.move(this.z.with(j, v));
      return dial({ name: indexed("u", j), min: -extent, max: extent, step: 0.05, value, change });
    });
    this.facts = facts(
      this.twins.flatMap(({ title }, i) => [
        [`${title}: away from any heatmap`, INKS[i]],
        ["nearest: variances, correlation"],
      ]),
    );
    box.append(
      group("stage", this.pad.node, group("pictures", ...pictures)),
      dials(this.dials),
      this.facts.node,
      note(
        "u are the codes of each model along its own axes, in standard deviations. The map shows u₁ and u₂ of both.",
      ),
    );
    this.move(start);
  }

  move(u) {
    this.z = Float32Array.from(u);
    this.facts.show(this.twins.flatMap((twin) => this.draw(twin)));
    this.dials.forEach(({ show }, j) => show(this.z[j]));
    this.pad.show(this.z[0], this.z[1]);
    this.report(this.z);
  }

  // Draw what one of them decodes, and return what is to be said of it.
  draw({ decoder, canvas, title, centre, axes }) {
    const z = centre.map((c, i) => c + axes[i].reduce((sum, a, j) => sum + a * this.z[j], 0));
    const image = decoder.decode(Float32Array.from(z));
    paint(canvas, image, HEATMAP);
    const { varX, varY, corr, relative } = fitHeatmap(image);
    const share = `${number(100 * relative, 1)} %`;
    canvas.setAttribute(
      "aria-label",
      `Heatmap decoded by the ${title}, ${share} away from any true one`,
    );
    return [share, [varX, varY, corr].map((value) => number(value)).join(", ")];
  }
}
