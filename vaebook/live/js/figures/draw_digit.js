// Draw a digit: framed as MNIST frames its own, encoded, and redrawn.

import { base64Of, pixelsOf } from "../bytes.js";
import { paint, thumbnail, view } from "../canvas.js";
import { Easel } from "../easel.js";
import { klToPrior } from "../elbo.js";
import { INKS, TERMS, addUp, button, captioned, facts, group, note, tuple } from "../elements.js";
import { LiveFigure } from "../figure.js";
import { Manifold } from "../manifold.js";
import { Plane } from "../plane.js";
import { frame } from "../frame.js";
import { Random } from "../random.js";
import { rings } from "../sheet.js";

const SHAPE = [1, 28, 28];
const DRAWS = 64;
const OWN = -1; // the example of who draws

export class DrawDigit extends LiveFigure {
  build(box, { encoder, decoder, examples, plane }) {
    this.encoder = this.network(encoder);
    this.decoder = this.network(decoder);
    this.examples = examples.map(pixelsOf);
    const pictures = this.examples.map((pixels) => thumbnail(pixels, SHAPE));
    const words = (i) => `example ${i + 1}`;
    const example = { name: "or begin with", pictures, value: 0, min: OWN, words };
    this.declare({ example });
    this.map = new Plane({ ...this.planeOf(plane), axes: ["z₁", "z₂"] });
    this.manifold = Manifold.of(this, this.decoder, this.map);
    this.easel = new Easel((ink) => {
      if (!this.taking) this.settings.set({ example: OWN });
      this.image = frame(ink, this.easel.side);
      this.look();
    });
    this.arrange(box);
    this.update();
  }

  arrange(box) {
    [this.framed, this.redrawn] = [view(), view()];
    this.facts = facts([
      ["E log p(x|z)"],
      ["− KL(q ‖ prior)", TERMS.kl],
      ["= ELBO, nats", TERMS.elbo],
    ]);
    const pictures = group(
      "pictures",
      captioned(this.framed, "framed as MNIST does"),
      captioned(this.redrawn, "decoded at the mean of q(z|x)"),
    );
    box.classList.add("vaebook-live-drawing");
    this.lay(
      [captioned(this.easel.node, "draw here")],
      [captioned(this.map.node, "where it lies: q(z|x)")],
      pictures,
      group(
        "rest",
        group(
          "bar",
          button("clear", () => this.easel.clear()),
        ),
        this.settings.labels.example,
        this.facts.node,
        note(
          `The circle marks the mean of q(z|x), the ellipses hold one and two of its standard deviations. E is the mean over ${DRAWS} draws.`,
        ),
      ),
    );
  }

  update() {
    const { example } = this.settings.values;
    if (example === OWN) this.easel.clear();
    else this.take(this.examples[example]);
  }

  take(pixels) {
    this.taking = true;
    this.easel.take(pixels, SHAPE);
    this.taking = false;
  }

  // What a live notebook asks for is an image: it is drawn, and `z` becomes the code of it.
  move(z) {
    this.settings.set({ example: OWN });
    this.take(this.decoder.decode(Float32Array.from(z)));
  }

  // Encode what is framed, and decode it.
  look() {
    if (this.image) this.encode();
    else {
      this.q = null;
      this.facts.show(["–", "–", "–"]);
      for (const canvas of [this.framed, this.redrawn]) {
        paint(canvas, new Float32Array(784), SHAPE);
        canvas.setAttribute("aria-label", "nothing yet");
      }
    }
    this.redraw();
  }

  encode() {
    const code = this.encoder.run(this.image);
    const mu = code.slice(0, 2);
    const sigma = code.slice(2).map((logvar) => Math.exp(logvar / 2));
    this.q = { mu, sigma };
    this.showTerms(mu, sigma);
    paint(this.framed, this.image, SHAPE);
    paint(this.redrawn, this.decoder.decode(mu), SHAPE);
    this.framed.setAttribute("aria-label", "the drawing in MNIST's frame");
    this.redrawn.setAttribute("aria-label", `Image decoded at the mean of q, ${tuple(mu)}`);
    this.z = mu;
    this.report(mu);
    const detail = base64Of(this.image);
    this.dispatchEvent(new CustomEvent("vaebook-drawn", { detail }));
  }

  showTerms(mu, sigma) {
    const random = new Random(0);
    let reconstruction = 0;
    for (let i = 0; i < DRAWS; i++) {
      const z = mu.map((centre, j) => centre + sigma[j] * random.normal());
      reconstruction += this.decoder.logProb(this.image, z) / DRAWS;
    }
    const kl = mu.reduce((sum, centre, j) => sum + klToPrior(centre, sigma[j]), 0);
    this.facts.show(addUp(reconstruction, -kl, 1));
  }

  redraw() {
    const { colours, q } = this;
    const { ink, ground } = colours;
    const over = (context) => {
      if (!q) return;
      rings(context, this.map.place(q.mu), [[8, 8]], INKS[1], ground, 3);
      this.map.drawDeviations(context, q.mu, q.sigma, ink, ground);
    };
    this.map.draw(colours, over, [this.manifold]);
    this.map.describe(
      q ? `Codes of images, and q(z|x) of the drawing at ${tuple(q.mu)}` : "Codes of images",
    );
  }
}
