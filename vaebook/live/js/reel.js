// Images along several ways, a row for each, one below the other.

import { paint } from "./canvas.js";
import { captioned, group, make } from "./elements.js";
import { HEATMAP } from "./heatmaps.js";

export class Reel {
  // Ways by name, each with a title that is marked as its line is.
  constructor(ways, count, mark) {
    this.rows = Object.entries(ways).map(([way, { title }]) => {
      const frame = () => make("canvas", { className: "vaebook-live-view" });
      const frames = Array.from({ length: count }, frame);
      const label = `Images along ${title} from A to B, at equal lengths`;
      const properties = { className: "vaebook-live-film", role: "img", "aria-label": label };
      return { way, title, frames, strip: make("div", properties, ...frames) };
    });
    const shown = this.rows.map(({ strip, title }) => captioned(strip, title, mark));
    this.node = group("films", ...shown);
  }

  show(films) {
    for (const { way, frames } of this.rows) {
      frames.forEach((node, k) => paint(node, films[way].frames[k], HEATMAP));
    }
  }

  // Frame the image of each way that is nearest to a share of its length.
  mark(share) {
    for (const { frames } of this.rows) {
      const now = Math.round(share * (frames.length - 1));
      frames.forEach((node, k) => node.classList.toggle("vaebook-live-now", k === now));
    }
  }
}
