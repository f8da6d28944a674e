// The walk: a point in a plane of a decoder of heatmaps, what is decoded there, and the true
// heatmap nearest to it.

import { paint, view } from "../canvas.js";
import { captioned, dials, facts, group, note, number, tuple } from "../elements.js";
import { LiveFigure } from "../figure.js";
import { HEATMAP, fitHeatmap, heatmap, outline } from "../heatmaps.js";
import { Manifold } from "../manifold.js";
import { decodeAlong } from "../network.js";
import { Pad } from "../pad.js";

export class HeatmapWalk extends LiveFigure {
  build(box, { walked, names, scale, start, plane }) {
    const { extent } = plane.points;
    this.walked = { ...walked, decoder: this.network(walked.model) };
    const control = (value, j) => [
      `u${j + 1}`,
      { name: names[j], value, min: -extent, max: extent, step: 0.05 },
    ];
    const { labels } = this.declare(Object.fromEntries(start.map(control)));
    const change = ([u1, u2]) => this.set({ u1, u2 });
    this.pad = new Pad({ ...this.planeOf(plane), axes: names, change });
    const decode = (u1, u2) => outline(this.decode([u1, u2, this.settings.values.u3]));
    this.outlines = new Manifold(this, decode, HEATMAP, extent, { strength: 0.55 });
    [this.decoded, this.nearest] = [view(), view()];
    const pictures = group(
      "pictures",
      captioned(this.decoded, "decoded"),
      captioned(this.nearest, "nearest heatmap"),
    );
    this.facts = facts([["away from it"], ["its variances"], ["its correlation"]]);
    box.classList.add("vaebook-live-walk");
    this.lay(
      [this.pad.node],
      [pictures, this.facts.node, dials(labels), group("bar", this.resetButton())],
      note(`${scale} Under the codes, outlines of what is decoded all over this plane.`),
    );
    this.update(["u3"]);
  }

  move([u1, u2, u3]) {
    this.set({ u1, u2, u3 });
  }

  decode(u) {
    return decodeAlong(this.walked, u);
  }

  update(keys) {
    this.z = Float32Array.from(Object.values(this.settings.values));
    const image = this.decode(this.z);
    const { varX, varY, corr, relative } = fitHeatmap(image);
    paint(this.decoded, image, HEATMAP);
    paint(this.nearest, heatmap([varX, varY, corr]), HEATMAP);
    const share = `${number(100 * relative, 1)} %`;
    this.facts.show([share, `${number(varX)}, ${number(varY)}`, number(corr)]);
    this.decoded.setAttribute("aria-label", `Decoded image, ${share} away from any heatmap`);
    this.nearest.setAttribute("aria-label", "The true heatmap nearest to the decoded image");
    this.pad.hold(this.z);
    if (keys.includes("u3")) this.outlines.begin();
    this.redraw();
    this.report(this.z);
  }

  redraw() {
    this.pad.draw(this.colours, null, [this.outlines]);
    this.pad.describe(`Codes of heatmaps, and a circle at ${tuple(this.z)}`);
  }
}
