// What is decoded all over a plane, faint, in the ink of the page or in a colour of its own.

import { make } from "./elements.js";

const SIDE = 420; // pixels of the whole, about
const SLICE = 6; // milliseconds of a frame
const SETTLED = 120; // milliseconds after which a decoder is taken to stay as it is

export class Manifold {
  // Decode maps a place of the plane to an image of the shape [channels, height, width].
  constructor(figure, decode, shape, extent, { colour, strength = 0.3 } = {}) {
    Object.assign(this, { figure, decode, shape, extent, colour, strength });
    this.cell = Math.max(shape[1], shape[2]);
    this.tiles = Math.min(Math.max(Math.round(SIDE / this.cell), 5), 15);
    const side = this.cell * this.tiles;
    this.canvas = make("canvas", { width: side, height: side });
    this.context = this.canvas.getContext("2d");
    this.tile = this.context.createImageData(this.cell, this.cell);
    figure.whenNear(() => {
      this.near = true;
      this.begin(0);
    });
  }

  // What a decoder of two latents makes of a plane.
  static of(figure, decoder, plane) {
    const decode = (...z) => decoder.decode(Float32Array.from(z));
    return new Manifold(figure, decode, decoder.output, plane.extent);
  }

  // Decode anew, a little in each frame, once nothing has changed for a while.
  begin(wait = SETTLED) {
    if (!this.near) return;
    this.done = 0;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.go(), wait);
  }

  go() {
    const end = performance.now() + SLICE;
    while (this.done < this.tiles ** 2 && performance.now() < end) this.put(this.done++);
    this.figure.redraw();
    const more = this.done < this.tiles ** 2;
    if (more) this.timer = setTimeout(() => requestAnimationFrame(() => this.go()));
  }

  put(k) {
    const { tiles, extent, cell, shape, tile } = this;
    const [row, column] = [Math.floor(k / tiles), k % tiles];
    const across = (i) => extent * ((2 * i + 1) / tiles - 1);
    const image = this.decode(across(column), -across(row));
    const [channels, height, width] = shape;
    const [top, left] = [(cell - height) >> 1, (cell - width) >> 1];
    tile.data.fill(0);
    for (let i = 0, from = 0; i < height; i++) {
      for (let j = 0; j < width; j++, from++) {
        const to = 4 * ((top + i) * cell + left + j);
        if (channels === 1) tile.data[to + 3] = 255 * image[from];
        else {
          // Black is clear, as it is in grey: a colour at its brightest, as opaque as it is bright.
          const colour = [0, 1, 2].map((c) => Math.max(0, image[c * height * width + from]));
          const bright = Math.max(...colour);
          for (let c = 0; c < 3; c++) tile.data[to + c] = (255 * colour[c]) / (bright || 1);
          tile.data[to + 3] = 255 * bright;
        }
      }
    }
    this.context.putImageData(tile, column * cell, row * cell);
    this.inked = null;
  }

  // Grey images take the page's ink.
  draw(context, { sheet }, pageInk) {
    const ink = this.colour ?? pageInk;
    if (this.shape[0] === 1 && this.inked !== ink) {
      this.inked = ink;
      this.context.globalCompositeOperation = "source-in";
      this.context.fillStyle = ink;
      this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
      this.context.globalCompositeOperation = "source-over";
    }
    context.globalAlpha = this.shape[0] === 1 ? this.strength : 2 * this.strength;
    context.drawImage(this.canvas, 0, 0, sheet.width, sheet.height);
    context.globalAlpha = 1;
  }
}
