// The tails: a bivariate t density beside a normal one, and a cut through both.

import { paint, view } from "../canvas.js";
import { INKS, captioned, facts, group, note, number } from "../elements.js";
import { LiveFigure } from "../figure.js";
import { HEATMAP, tHeatmap } from "../heatmaps.js";
import { FONT, Sheet, stroke } from "../sheet.js";

const REACH = 9; // of the cut, to both sides
const DECADES = 6; // of its height
const FRAME = 3; // the pictures show [-3, 3]²
const TITLES = ["t density", "normal density"];
const [LEFT, FOOT, HEAD] = [34, 20, 8]; // CSS pixels about the cut

const percent = (share) => {
  const shown = 100 * share;
  if (shown < 0.001) return "below 0.001 %";
  return `${number(shown, shown < 0.1 ? 3 : 1)} %`;
};

// Round densities of variance s, of which infinitely many degrees of freedom make a normal one.
const logDensity = (r, s, df) =>
  Number.isFinite(df) ? -((df + 2) / 2) * Math.log1p((r * r) / (df * s)) : -(r * r) / (2 * s);
const beyond = (r, s, df) =>
  Number.isFinite(df) ? (1 + (r * r) / (df * s)) ** (-df / 2) : Math.exp(-(r * r) / (2 * s));
// The radius at which the density has fallen to half of its peak.
const halfRadius = (s, df) =>
  Math.sqrt(Number.isFinite(df) ? df * s * (2 ** (2 / (df + 2)) - 1) : 2 * s * Math.log(2));

export class Tails extends LiveFigure {
  build(box, { start, choices }) {
    const [df, variance] = start;
    this.choices = choices;
    const { labels } = this.declare({
      df: { name: "degrees of freedom ν", value: df, choices },
      variance: {
        name: "scale s",
        value: variance,
        min: 0.1,
        max: 4.9,
        step: 0.1,
        words: (v) => number(v, 1),
      },
      core: { name: "normal density of the same core", value: 0, on: "yes", off: "no" },
    });
    this.canvases = [view(), view()];
    const titled = TITLES.map((title, i) => captioned(this.canvases[i], title, INKS[i]));
    this.cut = new Sheet("vaebook-live-cut", () => this.redraw());
    this.facts = TITLES.map((title, i) =>
      facts([[title, INKS[i]], ["half of its peak at a distance of"], ["mass farther than 3"]]),
    );
    box.classList.add("vaebook-live-tails");
    this.lay(
      [group("pictures", ...titled)],
      [this.cut.node],
      group("dials", ...Object.values(labels), group("bar", this.resetButton())),
      group("pair", ...this.facts.map(({ node }) => node)),
      note(
        "The curves are cuts through the middle of both densities, on a logarithmic axis; the pictures show what lies between the dotted lines.",
      ),
    );
    this.update();
  }

  // The nearest choice, as ratios go.
  move([df, variance]) {
    const away = (choice) => Math.abs(Math.log(choice / df));
    this.set({
      df: this.choices.reduce((best, next) => (away(next) < away(best) ? next : best)),
      variance,
    });
  }

  // The two densities as variance and degrees of freedom.
  get pair() {
    const { df, variance, core } = this.settings.values;
    const equal = halfRadius(variance, df) ** 2 / (2 * Math.log(2));
    return [
      [variance, df],
      [core ? equal : variance, Infinity],
    ];
  }

  update() {
    const { df, variance } = this.settings.values;
    const { pair } = this;
    pair.forEach(([s, nu], i) => paint(this.canvases[i], tHeatmap([s, s, 0], nu), HEATMAP));
    const [t, normal] = pair.map(([s]) => `variance ${number(s)}`);
    this.canvases[0].setAttribute("aria-label", `t density, ${df} degrees of freedom, ${t}`);
    this.canvases[1].setAttribute("aria-label", `Normal density, ${normal}`);
    pair.forEach((each, i) => {
      const words = ["", number(halfRadius(...each)), percent(beyond(FRAME, ...each))];
      this.facts[i].show(words);
    });
    this.cut.node.setAttribute(
      "aria-label",
      `Cut through both densities, on a logarithmic axis: at a distance of 6 the t density has fallen to ${this.power(...pair[0])} of its peak, the normal one to ${this.power(...pair[1])}`,
    );
    this.redraw();
    this.z = Float32Array.of(df, variance);
    this.report(this.z);
  }

  power(s, df) {
    return `10^${number(logDensity(6, s, df) / Math.LN10, 1)}`;
  }

  redraw() {
    const context = this.cut.open();
    const { width, height } = this.cut;
    if (!width) return;
    const { ink } = this.colours;
    const across = (x) => LEFT + ((width - LEFT - 4) * (x + REACH)) / (2 * REACH);
    const up = (decades) => HEAD + ((height - HEAD - FOOT) * -decades) / DECADES;
    Object.assign(context, { font: `12px ${FONT}`, fillStyle: ink });
    context.textAlign = "right";
    for (let k = 0; k <= DECADES; k += 2) {
      stroke(
        context,
        [
          [LEFT, up(-k)],
          [width - 4, up(-k)],
        ],
        "#8884",
        1,
      );
      const words = ["1", "", "0.01", "", "10⁻⁴", "", "10⁻⁶"][k];
      context.fillText(words, LEFT - 4, up(-k) + 4);
    }
    context.textAlign = "center";
    for (let x = -6; x <= 6; x += 3) context.fillText(number(x, 0), across(x), height - 4);
    for (const side of [-FRAME, FRAME]) {
      stroke(
        context,
        [
          [across(side), up(0)],
          [across(side), up(-DECADES)],
        ],
        ink,
        1,
        [2, 4],
      );
    }
    context.save();
    context.beginPath();
    context.rect(LEFT, 0, width - LEFT - 4, height - FOOT);
    context.clip();
    this.pair.forEach(([s, df], i) => {
      const line = Array.from({ length: 361 }, (_, k) => {
        const x = REACH * (k / 180 - 1);
        return [across(x), up(logDensity(x, s, df) / Math.LN10)];
      });
      stroke(context, line, INKS[i], 2.5, i ? [7, 4] : []);
    });
    context.restore();
  }
}
