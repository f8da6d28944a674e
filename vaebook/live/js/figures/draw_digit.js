// Draw a digit: framed as MNIST frames its own, encoded, and redrawn.

import { pixelsOf } from "../bytes.js";
import { paint, view } from "../canvas.js";
import { Easel } from "../easel.js";
import { klToPrior } from "../elbo.js";
import { button, captioned, facts, group, note, number, tuple } from "../elements.js";
import { LiveFigure } from "../figure.js";
import { frame } from "../frame.js";
import { pad } from "../pad.js";
import { Random } from "../random.js";

const SHAPE = [1, 28, 28];
const DRAWS = 64;

export class DrawDigit extends LiveFigure {
  build(box, { encoder, decoder, extent, examples }) {
    this.encoder = this.network(encoder);
    this.decoder = this.network(decoder);
    this.pad = pad(this.cloud(), extent);
    this.framed = view();
    this.redrawn = view();
    this.facts = facts([["E log p(x|z)"], ["− KL(q ‖ prior)"], ["= ELBO, nats"]]);
    this.easel = new Easel((ink) => {
      this.image = frame(ink, this.easel.side);
      this.redraw();
    });
    let next = 0;
    const example = () => this.easel.take(pixelsOf(examples[next++ % examples.length]), SHAPE);
    const pictures = group(
      "pictures",
      captioned(this.easel.node, "draw here"),
      captioned(this.framed, "framed as MNIST does"),
      captioned(this.redrawn, "decoded at the mean of q(z|x)"),
    );
    box.append(
      group("stage", this.pad.node, pictures),
      group(
        "bar",
        button("clear", () => this.easel.clear()),
        button("an example", example),
      ),
      this.facts.node,
      note(
        `The ellipses hold one and two standard deviations of q(z|x). E is the mean over ${DRAWS} draws.`,
      ),
    );
    example();
    new ResizeObserver(() => this.redraw()).observe(this.pad.node);
  }

  // What a live notebook asks for is an image: it is drawn, and `z` becomes the code of it.
  move(z) {
    this.easel.take(this.decoder.decode(Float32Array.from(z)), SHAPE);
  }

  redraw() {
    if (!this.image) {
      this.facts.show(["–", "–", "–"]);
      this.pad.open();
      for (const canvas of [this.framed, this.redrawn]) {
        paint(canvas, new Float32Array(784), SHAPE);
      }
      return;
    }
    const code = this.encoder.run(this.image);
    const mu = code.slice(0, 2);
    const sigma = code.slice(2).map((logvar) => Math.exp(logvar / 2));
    this.showTerms(mu, sigma);
    paint(this.framed, this.image, SHAPE);
    paint(this.redrawn, this.decoder.decode(mu), SHAPE);
    this.framed.setAttribute("aria-label", "the drawing in MNIST's frame");
    this.redrawn.setAttribute("aria-label", `Image decoded at the mean of q, ${tuple(mu)}`);
    this.drawEllipses(mu, sigma);
    this.z = mu;
    this.report(mu);
  }

  showTerms(mu, sigma) {
    const random = new Random(0);
    let reconstruction = 0;
    for (let i = 0; i < DRAWS; i++) {
      const z = mu.map((centre, j) => centre + sigma[j] * random.normal());
      reconstruction += this.decoder.logProb(this.image, z) / DRAWS;
    }
    const kl = mu.reduce((sum, centre, j) => sum + klToPrior(centre, sigma[j]), 0);
    this.facts.show([reconstruction, -kl, reconstruction - kl].map((value) => number(value, 1)));
  }

  drawEllipses(mu, sigma) {
    const { context, place, unit } = this.pad.open();
    for (const k of [1, 2]) {
      for (const [strokeStyle, lineWidth] of [
        ["#fff", 4],
        ["#b00020", 2],
      ]) {
        context.beginPath();
        context.ellipse(...place(mu), k * sigma[0] * unit, k * sigma[1] * unit, 0, 0, 2 * Math.PI);
        Object.assign(context, { strokeStyle, lineWidth });
        context.stroke();
      }
    }
  }
}
