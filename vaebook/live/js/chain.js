// Chains of pCN and of a random walk on p(z|x), one step at a time.

import { Random } from "./random.js";

export const KEPT = 400; // places of a chain

// Both propose from N(shrink · z, step²) and accept by what that leaves of the ratio.
export const KERNELS = {
  pCN: { shrink: (step) => Math.sqrt(1 - step * step), target: (logProb) => logProb },
  "random walk": {
    shrink: () => 1,
    target: (logProb, z) => logProb - 0.5 * z.reduce((sum, value) => sum + value * value, 0),
  },
};

export class Chain {
  constructor(kind, logProb, start, seed) {
    Object.assign(this, KERNELS[kind], { logProb, random: new Random(seed) });
    this.steps = 0;
    this.accepted = 0;
    this.z = Float32Array.from(start);
    this.path = [this.z];
    this.trace = [logProb(this.z)];
  }

  advance(step) {
    const shrink = this.shrink(step);
    const there = this.z.map((value) => shrink * value + step * this.random.normal());
    const before = this.trace.at(-1);
    const after = this.logProb(there);
    const ratio = this.target(after, there) - this.target(before, this.z);
    const accepted = Math.log(this.random.uniform()) < ratio;
    if (accepted) this.z = there;
    this.accepted += accepted;
    this.steps += 1;
    this.path.push(this.z);
    this.trace.push(accepted ? after : before);
    if (this.path.length > KEPT) {
      this.path.shift();
      this.trace.shift();
    }
  }
}
