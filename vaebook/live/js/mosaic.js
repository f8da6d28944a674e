// What is decoded all over a square of the plane, image beside image.

import { view } from "./canvas.js";
import { BATCH, LATENTS } from "./vae.js";

const TILES = 12; // along a side

export class Mosaic {
  constructor([, height, width]) {
    Object.assign(this, { height, width });
    this.node = view();
    this.node.classList.add("vaebook-live-mosaic");
    this.node.setAttribute("aria-label", "Images decoded all over the same square of the plane");
    // One pixel between the images shows the page.
    this.node.width = TILES * (width + 1) - 1;
    this.node.height = TILES * (height + 1) - 1;
    this.context = this.node.getContext("2d");
    this.picture = this.context.createImageData(this.node.width, this.node.height);
  }

  // Each image lies where its code lies in the square [-extent, extent]².
  draw(vae, extent) {
    const across = (i) => extent * ((2 * i + 1) / TILES - 1);
    const z = vae.z.data;
    for (let first = 0; first < TILES ** 2; first += BATCH) {
      const count = Math.min(BATCH, TILES ** 2 - first);
      for (let row = 0; row < count; row++) {
        const tile = first + row;
        z[LATENTS * row] = across(tile % TILES);
        z[LATENTS * row + 1] = -across(Math.floor(tile / TILES));
      }
      vae.decode();
      for (let row = 0; row < count; row++) this.put(first + row, vae.logits.data, row);
    }
    this.context.putImageData(this.picture, 0, 0);
  }

  put(tile, logits, row) {
    const { height, width, picture } = this;
    const left = (tile % TILES) * (width + 1);
    const top = Math.floor(tile / TILES) * (height + 1);
    let from = row * height * width;
    for (let i = 0; i < height; i++) {
      let to = 4 * ((top + i) * picture.width + left);
      for (let j = 0; j < width; j++, to += 4) {
        const grey = 255 / (1 + Math.exp(-logits[from++]));
        picture.data[to] = picture.data[to + 1] = picture.data[to + 2] = grey;
        picture.data[to + 3] = 255;
      }
    }
  }
}
