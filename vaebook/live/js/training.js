// A run of training: a data set, its order, its noise, and what the loss was.

import { Random } from "./random.js";
import { BATCH, LATENTS, VAE } from "./vae.js";

// Of an epoch, per image, nats: the reconstruction counted from the least that grey pixels allow,
// the KL, and beta times the KL.
const TERMS = ["pixels", "kl", "price"];

const xlogx = (x) => (x > 0 ? x * Math.log(x) : 0);

export class Training {
  // Images [N, pixels] in [0, 1].
  constructor(images, pixels) {
    this.images = images;
    this.pixels = pixels;
    this.n = images.length / pixels;
    this.codes = new Float32Array(2 * LATENTS * this.n); // as each image was last seen
    this.order = new Int32Array(this.n);
    this.batch = new Int32Array(BATCH);
    this.mean = new Float64Array(pixels);
    this.floor = new Float64Array(this.n);
    images.forEach((value, i) => {
      this.mean[i % pixels] += value / this.n;
      this.floor[Math.floor(i / pixels)] -= xlogx(value) + xlogx(1 - value);
    });
    // The loss of a model that draws the mean image whatever the code.
    const level = this.mean.reduce((sum, value) => sum - xlogx(value) - xlogx(1 - value), 0);
    this.ceiling = level - this.floor.reduce((sum, value) => sum + value, 0) / this.n;
  }

  // Begin anew.
  start(hidden, seed) {
    this.random = new Random(seed);
    if (this.vae?.hidden !== hidden) this.vae = new VAE(this.pixels, hidden);
    this.vae.start(this.random, this.mean);
    this.order.forEach((_, i) => (this.order[i] = i));
    this.next = this.n;
    this.seen = 0;
    this.sums = { pixels: 0, kl: 0, price: 0, batches: 0 };
    this.history = { pixels: [], kl: [], price: [] };
    this.encode();
  }

  get epochs() {
    return this.history.kl.length;
  }

  // The images of the batch, after each other in an order that is drawn anew for each epoch. A
  // batch may reach into the next epoch, so that all have one size.
  gather() {
    const { order, random } = this;
    for (let row = 0; row < BATCH; row++) {
      if (this.next === this.n) {
        this.next = 0;
        for (let i = this.n - 1; i > 0; i--) {
          const k = Math.floor((i + 1) * random.uniform());
          const kept = order[i];
          order[i] = order[k];
          order[k] = kept;
        }
      }
      this.put(row, order[this.next++]);
    }
  }

  put(row, image) {
    const { pixels, images } = this;
    const x = this.vae.x.data;
    this.batch[row] = image;
    for (let k = 0, i = image * pixels, j = row * pixels; k < pixels; k++) x[j++] = images[i++];
  }

  // Note the codes that the batch has now.
  keep() {
    const codes = this.vae.codes.data;
    for (let row = 0; row < BATCH; row++) {
      const at = 2 * LATENTS * this.batch[row];
      for (let j = 0; j < 2 * LATENTS; j++) this.codes[at + j] = codes[2 * LATENTS * row + j];
    }
  }

  // One step on the next batch. Without noise there is no KL: an autoencoder.
  step({ beta, noise, rate }) {
    const { vae, sums } = this;
    this.gather();
    const drawn = vae.noise.data;
    for (let i = 0; i < drawn.length; i++) drawn[i] = this.random.normal();
    const weight = noise ? beta : 0;
    vae.evaluate(weight, noise);
    vae.descend(rate);
    this.keep();
    let floor = 0;
    for (let row = 0; row < BATCH; row++) floor += this.floor[this.batch[row]];
    sums.pixels += vae.terms.reconstruction - floor / BATCH;
    sums.kl += vae.terms.kl;
    sums.price += weight * vae.terms.kl;
    sums.batches += 1;
    this.seen += BATCH;
    if (this.seen < this.n * (this.epochs + 1)) return;
    for (const name of TERMS) {
      this.history[name].push(sums[name] / sums.batches);
      sums[name] = 0;
    }
    sums.batches = 0;
  }

  // The codes of all images as the network is now.
  encode() {
    for (let first = 0; first < this.n; first += BATCH) {
      for (let row = 0; row < BATCH; row++) this.put(row, Math.min(first + row, this.n - 1));
      this.vae.encode();
      this.keep();
    }
  }
}
