// Two heatmaps, and three ways from one to the other: the shortest among heatmaps, the decoder's
// shortest, and the straight line between their codes.

import { Cone } from "./cone.js";
import { heatmap, heatmapJet } from "./heatmaps.js";
import { jetsOf } from "./jets.js";
import { Film, Way, between, divided } from "./ways.js";

export const FRAMES = 9; // of a film
const PIXEL = 6 / 35; // of the frame: lengths are counted in pixels

const NODES = 24; // steps of the decoder's way
const TRUE_NODES = 32; // and of the true one
const [ROUGH, FINE] = [16, 128]; // chords of a length, while something moves and at rest
const [FEW, MANY] = [6, 16]; // steps of the true way that are encoded

const logs = ([s1, s2, rho]) => [Math.log(s1), Math.log(s2), Math.atanh(rho)];
const drawn = ([a, b, t]) => heatmap([Math.exp(a), Math.exp(b), Math.tanh(t)]);
const film = (images) => new Film(images, FRAMES);

export class Pair {
  constructor(encoder, decoder) {
    Object.assign(this, { encoder, decoder });
    this.jet = jetsOf(decoder);
    this.truth = new Way(heatmapJet);
    this.short = new Way(this.jet);
    this.films = {};
  }

  encode(image) {
    return Array.from(this.encoder.run(image).slice(0, 3));
  }

  decode(z) {
    return this.decoder.decode(Float32Array.from(z)).slice();
  }

  // Another pair: what can be had at once, each way as well as it is known.
  choose(one, two) {
    this.cone = new Cone(one, two);
    this.images = [one, two].map(heatmap);
    this.ends = this.images.map((image) => this.encode(image));
    const share = (_, t) => logs(this.cone.along(t / TRUE_NODES));
    this.truth.begin(Array.from({ length: TRUE_NODES + 1 }, share));
    const inner = divided(this.truth.path, FEW).slice(1, -1);
    this.encoded = [
      this.ends[0],
      ...inner.map((theta) => this.encode(drawn(theta))),
      this.ends[1],
    ];
    if (this.short.images) this.short.pull(...this.ends);
    else this.short.begin(divided(this.ends, NODES));
    this.films.truth = film(this.truth.path.map(drawn));
    this.films.line = film(divided(this.ends, ROUGH).map((z) => this.decode(z)));
    this.follow();
    this.work = this.settle();
    this.done = false;
  }

  // The decoder's way as it is now, from code to code.
  get bent() {
    return [this.ends[0], ...this.short.path.slice(1, -1), this.ends[1]];
  }

  follow() {
    this.films.short = this.short.images ? film(this.short.shown) : this.films.line;
  }

  // Go on until the time is over, while the pair moves with the decoder's way only; whether there
  // is something new to be seen.
  advance(until, moving) {
    const seen = [this.short.path, this.encoded, this.films.line];
    if (moving) this.short.advance(until);
    else while (!this.done && performance.now() < until) this.done = this.work.next().done;
    if (this.short.path !== seen[0] && !this.done) this.follow();
    return this.encoded !== seen[1] || this.films.line !== seen[2] || this.short.path !== seen[0];
  }

  *settle() {
    yield* this.finish(this.short);
    yield* this.finish(this.truth);
    this.encoded = yield* this.each(divided(this.truth.path, MANY), (theta) =>
      this.encode(drawn(theta)),
    );
    this.films = {
      truth: film(yield* this.each(divided(this.truth.path, FINE), drawn)),
      short: film(yield* this.each(divided(this.short.path, FINE), (z) => this.decode(z))),
      line: film(yield* this.each(divided(this.ends, FINE), (z) => this.decode(z))),
    };
  }

  *finish(way) {
    while (!way.advance(0)) {
      way.done = way.work.next().done;
      yield;
    }
  }

  *each(places, map) {
    const found = [];
    for (const place of places) {
      found.push(map(place));
      yield;
    }
    return found;
  }

  // In pixels.
  get lengths() {
    const { truth, short, line } = this.films;
    return {
      truth: truth.length,
      short: short.length,
      line: line.length,
      cone: this.cone.distance / PIXEL,
      chord: Math.hypot(...this.images[0].map((pixel, i) => pixel - this.images[1][i])),
    };
  }

  // Where each way is in latent space at a share of its length.
  at(share) {
    const { truth, short, line } = this.films;
    return {
      truth: between(this.encoded, truth.at(share)),
      short: between(this.bent, short.at(share)),
      line: between(this.ends, line.at(share)),
    };
  }
}
