// The beta dial: models that differ in beta only.

import { pixelsOf, pointsOf } from "../bytes.js";
import { paint, thumbnail, view } from "../canvas.js";
import { captioned, dials, facts, group, indexed, note, number } from "../elements.js";
import { LiveFigure } from "../figure.js";
import { Manifold } from "../manifold.js";
import { Pad } from "../pad.js";

const DIGITS = "₀₁₂₃₄₅₆₇₈₉";
const latent = (j) => `z${[...String(j + 1)].map((digit) => DIGITS[digit]).join("")}`;
const key = (j) => `z${j + 1}`;

export class BetaDial extends LiveFigure {
  build(box, { models, betas, originals, planes, plane, start }) {
    this.decoders = models.map((hash) => this.network(hash));
    this.images = originals.map(pixelsOf);
    this.points = planes.map(pointsOf);
    const { extent } = plane.points;
    this.latents = Array.from({ length: this.decoders[0].input }, (_, j) => j);
    this.first = start[0];
    const { labels } = this.declare(this.controls(betas, extent));
    const change = (place) => this.drag(place);
    this.pad = new Pad({ ...this.planeOf(plane), ...this.points[this.first], change });
    const decode = (x, y) => this.decode(this.at(x, y));
    this.manifold = new Manifold(this, decode, this.decoders[0].output, extent);
    this.arrange(box, labels);
    this.update(["beta"]);
  }

  controls(betas, extent) {
    const shape = this.decoders[0].output;
    const pictures = this.images.map((pixels) => thumbnail(pixels, shape));
    const words = (i) => `image ${i + 1}`;
    const code = this.config.codes[this.first][0];
    const range = { min: -extent, max: extent, step: 0.05 };
    const turn = (j) => [key(j), { name: indexed("z", j), value: code[j], ...range }];
    return {
      beta: { name: "β", value: betas[this.first], choices: betas },
      image: { name: "image", pictures, value: 0, words },
      ...Object.fromEntries(this.latents.map(turn)),
    };
  }

  arrange(box, { beta, image, ...turns }) {
    [this.original, this.decoded] = [view(), view()];
    this.turns = Object.values(turns);
    const active = `active units of ${this.latents.length}`;
    this.facts = facts([["rate, nats"], ["distortion, nats"], [active]]);
    box.classList.add("vaebook-live-beta");
    this.lay(
      [this.pad.node],
      [
        group(
          "pictures",
          captioned(this.original, "image"),
          captioned(this.decoded, "decoded at the circle"),
        ),
      ],
      beta,
      group("pair", image, this.facts.node),
      dials(turns),
      group("bar", this.resetButton()),
      note(
        "The map shows the two most active latents of the model with this β, under it what is decoded with the others as they are. All begin at the code of the image; faint dials are those of latents that this model doesn't use.",
      ),
    );
  }

  get model() {
    return this.config.betas.indexOf(this.settings.values.beta);
  }

  get axes() {
    return this.config.axes[this.model];
  }

  get code() {
    return Float32Array.from(this.latents, (j) => this.settings.values[key(j)]);
  }

  // The code with the two latents of the map at another place.
  at(x, y) {
    const [first, second] = this.axes;
    return this.code.with(first, x).with(second, y);
  }

  decode(code) {
    return this.decoders[this.model].decode(code);
  }

  drag([x, y]) {
    const [first, second] = this.axes;
    this.set({ [key(first)]: x, [key(second)]: y });
  }

  update(keys) {
    if (keys.includes("beta") || keys.includes("image")) this.choose(keys);
    const { axes, code, model } = this;
    const place = axes.map((j) => code[j]);
    paint(this.decoded, this.decode(code), this.decoders[model].output);
    const where = axes.map((j, i) => `${latent(j)} = ${number(place[i])}`).join(", ");
    const words = `decoded with β = ${this.settings.values.beta} at ${where}`;
    this.decoded.setAttribute("aria-label", words);
    this.pad.hold(place);
    if (keys.some((name) => !axes.map(key).includes(name))) this.manifold.begin();
    this.redraw();
    this.z = Float32Array.of(model, ...place);
    this.report(this.z);
  }

  // Another model or image begins at the image's own code, but for what was asked.
  choose(asked) {
    const { rates, distortions, codes, used } = this.config;
    const { model } = this;
    const { image } = this.settings.values;
    const others = this.latents.filter((j) => !asked.includes(key(j)));
    const own = others.map((j) => [key(j), codes[model][image][j]]);
    this.settings.set(Object.fromEntries(own));
    this.pad.load(this.points[model]);
    this.pad.axes = this.axes.map(latent);
    paint(this.original, this.images[image], this.decoders[model].output);
    this.original.setAttribute("aria-label", `image ${image + 1}`);
    const terms = [rates[model], distortions[model]].map((nats) => number(nats, 1));
    this.facts.show([...terms, String(used[model].length)]);
    this.turns.forEach((label, j) =>
      label.classList.toggle("vaebook-live-idle", !used[model].includes(j)),
    );
  }

  // A live notebook sets the number of the model and the place on its map.
  move([which, x, y]) {
    const beta = this.config.betas[Math.round(which)];
    if (beta !== this.settings.values.beta) this.set({ beta });
    this.drag([x, y]);
  }

  redraw() {
    this.pad.draw(this.colours, null, [this.manifold]);
    const [x, y] = this.pad.axes;
    this.pad.describe(`Codes of images in ${x} and ${y}, the most active latents, and a circle`);
  }
}
