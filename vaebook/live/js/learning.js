// The plane of a model that learns: its points move, and the square grows with them.

import { Plane } from "./plane.js";
import { rings } from "./sheet.js";

const EASE = 0.3; // of the way to where a point is going, per picture

export class LearningPlane extends Plane {
  constructor(given) {
    super({ ...given, extent: 3 });
  }

  // Half the side of the square that is shown: three standard deviations of the prior, or of the
  // codes where they go further.
  get goal() {
    let square = 0;
    for (let i = 0; i < this.n; i++) {
      for (let j = 0; j < 2; j++) square += this.codes[i * this.stride + j] ** 2;
    }
    return 3 * Math.max(1, Math.sqrt(square / (2 * this.n)));
  }

  // Bring the points nearer to their codes, or there. True when nothing moves any more.
  move(ease = EASE) {
    let rest = Math.abs(this.goal - this.extent);
    this.extent += ease * (this.goal - this.extent);
    for (let i = 0; i < this.n; i++) {
      for (let j = 0; j < 2; j++) {
        const way = this.codes[i * this.stride + j] - this.shown[2 * i + j];
        this.shown[2 * i + j] += ease * way;
        rest = Math.max(rest, Math.abs(way));
      }
    }
    return rest < 0.003 * this.extent;
  }

  // The point of an image, and the ellipses of q(z|x) where z is drawn from it.
  drawChosen(context, i, noisy, { ink, ground }) {
    const here = [this.shown[2 * i], this.shown[2 * i + 1]];
    const deviation = (j) => this.unit * Math.exp(this.codes[i * this.stride + 2 + j] / 2);
    const both = [1, 2].map((k) => [k * deviation(0), k * deviation(1)]);
    rings(context, this.place(here), [[5, 5], ...(noisy ? both : [])], ink, ground);
  }
}
