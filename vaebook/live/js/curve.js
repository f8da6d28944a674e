// The loss over the epochs as two bands on each other, below the level of the mean image.

import { TERMS } from "./elements.js";
import { FONT, Sheet } from "./sheet.js";

const [LEFT, FOOT, HEAD] = [4, 16, 14]; // CSS pixels about the bands

export class Curve {
  // So many epochs along the axis at least.
  constructor(ceiling, resized, least = 40) {
    Object.assign(this, { ceiling, least });
    this.sheet = new Sheet("vaebook-live-curve", resized);
  }

  draw({ pixels, price }, { ink }) {
    const context = this.sheet.open();
    const { width, height } = this.sheet;
    if (!width) return;
    const n = pixels.length;
    const across = (i) => LEFT + ((width - 2 * LEFT) * (i + 1)) / Math.max(n, this.least);
    const losses = pixels.map((loss, i) => loss + price[i]).filter(Number.isFinite);
    const unit = (height - FOOT - HEAD) / Math.max(this.ceiling, ...losses);
    const up = (loss) => height - FOOT - unit * loss;
    const stride = Math.ceil(n / width) || 1;
    const band = (from, to, colour) => {
      context.beginPath();
      for (let i = 0; i < n; i += stride) context.lineTo(across(i), up(to(i)));
      for (let i = n - 1 - ((n - 1) % stride); i >= 0; i -= stride) {
        context.lineTo(across(i), up(from(i)));
      }
      context.fillStyle = colour;
      context.fill();
    };
    band(
      () => 0,
      (i) => pixels[i],
      TERMS.reconstruction,
    );
    band(
      (i) => pixels[i],
      (i) => pixels[i] + price[i],
      TERMS.kl,
    );
    this.drawAxes(context, ink, { floor: up(0), top: up(this.ceiling), n });
  }

  drawAxes(context, ink, { floor, top, n }) {
    const { width, height } = this.sheet;
    Object.assign(context, { strokeStyle: ink, fillStyle: ink, lineWidth: 1 });
    Object.assign(context, { font: `12px ${FONT}`, textBaseline: "alphabetic" });
    for (const [level, dash] of [
      [floor, []],
      [top, [3, 3]],
    ]) {
      context.setLineDash(dash);
      context.beginPath();
      context.moveTo(LEFT, level);
      context.lineTo(width - LEFT, level);
      context.stroke();
    }
    context.setLineDash([]);
    context.textAlign = "right";
    context.fillText("the mean image", width - LEFT, top - 4);
    context.fillText(`epoch ${Math.max(n, this.least)}`, width - LEFT, height - 3);
    context.textAlign = "left";
    context.fillText("0", LEFT, height - 3);
  }
}
