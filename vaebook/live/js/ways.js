// Shortest ways on a surface of images over three coordinates: paths of least energy
//
//   Σ ‖g(z[t + 1]) − g(z[t])‖²,
//
// by damped steps of Gauss and Newton, whose equations are block-tridiagonal. A surface g is given
// by its jets: image and three slopes at a place, [pixels, 4].

import { inverse3, onto3, times3, transposed3 } from "./three.js";

const LANES = 4;
const DIAGONAL = 4; // from one number on the diagonal of three by three to the next
const STEPS = 40;
const CLOSE = 1e-5; // of the energy: a step that gains less is the last
const GENTLE = 1e-3; // damping to begin with

// At one place: J'J, J'K with the next place's K, and J'(2g − g₋ − g₊).
function equations(before, here, after) {
  const own = new Float64Array(9);
  const next = new Float64Array(9);
  const pull = new Float64Array(3);
  for (let i = 0; i < here.length; i += LANES) {
    const rest = 2 * here[i] - before[i] - after[i];
    for (let j = 0; j < 3; j++) {
      const slope = here[i + 1 + j];
      if (slope === 0) continue;
      pull[j] += slope * rest;
      for (let k = 0; k < 3; k++) {
        own[3 * j + k] += slope * here[i + 1 + k];
        next[3 * j + k] += slope * after[i + 1 + k];
      }
    }
  }
  return { own, next, pull };
}

// The metric J'J of one place.
export const metricOf = (jet) => equations(jet, jet, jet).own;

// The moves of all inner places: 2 J'J on the diagonal, −J'K beside it.
function solve(rows, damping) {
  const kept = [];
  for (const { own, next, pull } of rows) {
    const block = Array.from(own, (v, i) => 2 * v * (i % DIAGONAL ? 1 : 1 + damping));
    for (let i = 0; i < 9; i += DIAGONAL) block[i] += 1e-9;
    let right = Array.from(pull, (value) => -value);
    const last = kept.at(-1);
    if (last) {
      const back = times3(transposed3(last.beside), last.inverse);
      const less = times3(back, last.beside);
      block.forEach((_, i) => (block[i] -= less[i]));
      const moved = onto3(back, last.right);
      right = right.map((value, j) => value - moved[j]);
    }
    kept.push({ inverse: inverse3(block), beside: Array.from(next, (v) => -v), right });
  }
  const moves = [];
  let move = [0, 0, 0];
  for (const { inverse, beside, right } of kept.reverse()) {
    const push = onto3(beside, move);
    move = onto3(
      inverse,
      right.map((value, j) => value - push[j]),
    );
    moves.push(move);
  }
  return moves.reverse();
}

const stepLength = (a, b, lanes) => {
  let sum = 0;
  for (let i = 0; i < a.length; i += lanes) sum += (a[i] - b[i]) ** 2;
  return Math.sqrt(sum);
};

function energyOf(images) {
  let sum = 0;
  for (let t = 1; t < images.length; t++) sum += stepLength(images[t - 1], images[t], LANES) ** 2;
  return sum;
}

export class Way {
  constructor(jet) {
    this.jet = jet;
    this.done = true;
  }

  // Begin from a path, whose ends stay where they are.
  begin(path) {
    Object.assign(this, { path, aim: null, done: false, work: this.relax() });
  }

  // Other ends: the places between them follow, once the step at hand is done.
  pull(start, end) {
    this.aim = [start, end];
    if (!this.done) return;
    this.done = false;
    this.work = this.relax(this.images);
  }

  // Go on until the time is over; whether it is done.
  advance(until = Infinity) {
    while (!this.done && performance.now() < until) this.done = this.work.next().done;
    return this.done;
  }

  *jets(path) {
    const found = [];
    for (const z of path) {
      found.push(this.jet(z));
      yield;
    }
    return found;
  }

  *relax(known) {
    this.images = known ?? (yield* this.jets(this.path));
    let damping = GENTLE;
    let energy = energyOf(this.images);
    for (let step = 0; step < STEPS && damping < 1e6; step++) {
      if (this.aim) {
        this.take();
        energy = energyOf(this.images);
        [step, damping] = [0, GENTLE];
      }
      const { images } = this;
      const rows = [];
      for (let t = 1; t < images.length - 1; t++) {
        rows.push(equations(images[t - 1], images[t], images[t + 1]));
      }
      const moves = solve(rows, damping);
      const inner = this.path.slice(1, -1).map((z, t) => z.map((value, j) => value + moves[t][j]));
      const tried = [images[0], ...(yield* this.jets(inner)), images.at(-1)];
      const gain = energy - energyOf(tried);
      if (gain >= 0) {
        this.path = [this.path[0], ...inner, this.path.at(-1)];
        this.images = tried;
        energy -= gain;
        damping /= 5;
        if (gain <= CLOSE * energy && !this.aim) return;
      } else damping *= 6;
    }
  }

  // Put the ends where they are wanted.
  take() {
    const [start, end] = this.aim;
    this.aim = null;
    this.path = [start, ...this.path.slice(1, -1), end];
    this.images = [this.jet(start), ...this.images.slice(1, -1), this.jet(end)];
  }

  get energy() {
    return energyOf(this.images);
  }

  // The images along it.
  get shown() {
    return this.images.map((jet) => jet.filter((_, i) => i % LANES === 0));
  }
}

// The place at a share of the vertices of a polyline.
export function between(path, share) {
  const at = share * (path.length - 1);
  const first = Math.min(Math.floor(at), path.length - 2);
  return path[first].map((value, j) => value + (at - first) * (path[first + 1][j] - value));
}

// A path of so many steps on a polyline.
export const divided = (path, steps) =>
  Array.from({ length: steps + 1 }, (_, t) => between(path, t / steps));

// Images on a way: how long it is in chords, where a share of its length is, as a share of the
// images, and so many of them at equal lengths.
export class Film {
  constructor(images, count) {
    this.sums = [0];
    for (let t = 1; t < images.length; t++) {
      this.sums.push(this.sums[t - 1] + stepLength(images[t - 1], images[t], 1));
    }
    this.length = this.sums.at(-1);
    const last = images.length - 1;
    const nearest = (_, k) => images[Math.round(last * this.at(k / (count - 1)))];
    this.frames = Array.from({ length: count }, nearest);
  }

  at(share) {
    const { sums } = this;
    const wanted = share * this.length;
    const after = sums.findIndex((sum, t) => t && sum >= wanted);
    if (after < 0) return 1;
    const span = sums[after] - sums[after - 1];
    const part = span > 0 ? (wanted - sums[after - 1]) / span : 0;
    return (after - 1 + part) / (sums.length - 1);
  }
}
