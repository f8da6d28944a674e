// The beta dial: models that differ in beta only.

import { pixelsOf } from "../bytes.js";
import { paint, view } from "../canvas.js";
import { captioned, dial, dials, facts, group, note, number } from "../elements.js";
import { LiveFigure } from "../figure.js";
import { pad } from "../pad.js";

const LATENTS = ["most active latent", "second most active"];

export class BetaDial extends LiveFigure {
  build(box, { models, betas, codes, clouds, originals, extent }) {
    this.decoders = models.map((hash) => this.network(hash));
    this.images = originals.map(pixelsOf);
    this.pad = pad(clouds[0], extent, (x, y) => this.drag(x, y));
    this.original = view();
    this.decoded = view();
    this.dials = [
      dial({
        name: "β",
        min: 0,
        max: betas.length - 1,
        step: 1,
        value: 0,
        words: (k) => String(betas[k]),
        change: (k) => this.choose(k, this.image),
      }),
      dial({
        name: "image",
        min: 0,
        max: originals.length - 1,
        step: 1,
        value: 0,
        words: (i) => String(i + 1),
        change: (i) => this.choose(this.model, i),
      }),
      ...LATENTS.map((name, j) => {
        const change = (value) => this.drag(...this.place.with(j, value));
        return dial({ name, min: -extent, max: extent, step: 0.05, value: 0, change });
      }),
    ];
    const active = `active units of ${codes[0][0].length}`;
    this.facts = facts([["rate, nats"], ["distortion, nats"], [active]]);
    const pictures = [
      captioned(this.original, "image"),
      captioned(this.decoded, "decoded at the circle"),
    ];
    box.append(
      group("stage", this.pad.node, group("pictures", ...pictures)),
      dials(this.dials),
      this.facts.node,
      note(
        "The map shows the two most active latents of the model with this β. The circle starts at the code of the image; drag it to see what these two latents do.",
      ),
    );
    this.choose(0, 0);
  }

  choose(model, image) {
    const { rates, distortions, active, codes, axes, clouds } = this.config;
    Object.assign(this, { model, image, code: Float32Array.from(codes[model][image]) });
    this.pad.turn(clouds[model]);
    paint(this.original, this.images[image], this.decoders[model].output);
    this.original.setAttribute("aria-label", `image ${image + 1}`);
    this.facts.show([
      number(rates[model], 1),
      number(distortions[model], 1),
      String(active[model]),
    ]);
    this.dials[0].show(model);
    this.dials[1].show(image);
    this.drag(...axes[model].map((j) => this.code[j]));
  }

  drag(x, y) {
    const [first, second] = this.config.axes[this.model];
    const decoder = this.decoders[this.model];
    this.place = [x, y];
    this.code = this.code.with(first, x).with(second, y);
    paint(this.decoded, decoder.decode(this.code), decoder.output);
    const words = `decoded with β = ${this.config.betas[this.model]} at ${number(x)}, ${number(y)}`;
    this.decoded.setAttribute("aria-label", words);
    this.dials[2].show(x);
    this.dials[3].show(y);
    this.pad.show(x, y);
    this.z = Float32Array.of(this.model, x, y);
    this.report(this.z);
  }

  // A live notebook sets the number of the model and the place on its map.
  move([which, x, y]) {
    const model = Math.round(which);
    if (model !== this.model) this.choose(model, this.image);
    this.drag(x, y);
  }
}
