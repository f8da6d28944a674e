// <vaebook-heatmap>: three sliders and the heatmap of their factors, computed in the page as
// vaebook.datasets.heatmap_images does. What stands inside the element is seen without scripts.
(() => {
  "use strict";
  if (customElements.get("vaebook-heatmap")) return;
  const SIZE = 36;
  const EXTENT = 3;
  const MINUS = "\u2212";
  const FACTORS = [
    { name: "variance in x", min: 0.1, max: 4.9, step: 0.1, value: 2.5, digits: 1 },
    { name: "variance in y", min: 0.1, max: 4.9, step: 0.1, value: 1.0, digits: 1 },
    { name: "correlation", min: -0.95, max: 0.95, step: 0.05, value: 0.6, digits: 2 },
  ];
  const STYLE = `
    :host { display: block; margin-inline: auto; max-width: 640px; text-align: start; }
    .panel { align-items: center; display: flex; flex-wrap: wrap; gap: 1rem 1.5rem; justify-content: center; }
    canvas { border: 1px solid rgba(127, 127, 127, 0.5); height: 216px; image-rendering: pixelated; width: 216px; }
    .controls { display: grid; flex: 1 1 240px; gap: 0.5rem; }
    label { display: grid; gap: 0 0.75rem; grid-template-columns: 1fr auto; }
    input { accent-color: var(--pst-color-primary, #4177dc); grid-column: 1 / -1; grid-row: 2; margin: 0.25rem 0; width: 100%; }
    output { grid-column: 2; grid-row: 1; }
    output, .shape { font-variant-numeric: tabular-nums; }
    .shape { margin: 0.25rem 0 0; }`;

  function draw(pixels, [s1, s2, rho]) {
    const rest = 1 - rho * rho;
    const cross = (-2 * rho) / Math.sqrt(s1 * s2);
    const at = (i) => -EXTENT + (2 * EXTENT * i) / (SIZE - 1);
    const squared = [];
    for (let row = 0; row < SIZE; row++) {
      for (let column = 0; column < SIZE; column++) {
        const x = at(column);
        const y = at(row);
        squared.push(((x * x) / s1 + cross * x * y + (y * y) / s2) / rest);
      }
    }
    const least = Math.min(...squared);
    squared.forEach((q, i) => {
      const grey = Math.round(255 * Math.exp((least - q) / 2));
      pixels.set([grey, grey, grey, 255], 4 * i);
    });
  }

  // The long axis' angle to the x axis in degrees, and how many times as long it is as the other.
  function shape([s1, s2, rho]) {
    const cross = 2 * rho * Math.sqrt(s1 * s2);
    const spread = Math.hypot(s1 - s2, cross);
    const angle = spread > 1e-9 ? (Math.atan2(cross, s1 - s2) * 90) / Math.PI : null;
    return { angle, elongation: Math.sqrt((s1 + s2 + spread) / (s1 + s2 - spread)) };
  }

  const text = (value, digits) => {
    const fixed = Math.abs(value).toFixed(digits);
    return (value < 0 && Number(fixed) ? MINUS : "") + fixed;
  };

  class Heatmap extends HTMLElement {
    connectedCallback() {
      if (this.shadowRoot) return;
      const root = this.attachShadow({ mode: "open" });
      const make = (tag, properties = {}) =>
        Object.assign(document.createElement(tag), properties);
      const canvas = make("canvas", { width: SIZE, height: SIZE, role: "img" });
      const controls = make("div", { className: "controls" });
      const said = make("p", { className: "shape" });
      const fields = FACTORS.map(({ name, min, max, step, value }) => {
        const label = make("label");
        const output = make("output");
        const input = make("input", { type: "range" });
        Object.assign(input, { min, max, step });
        input.value = value;
        // The input before the output: a label names the first of them.
        label.append(make("span", { textContent: name }), input, output);
        controls.append(label);
        return { input, output };
      });
      controls.append(said);
      const panel = make("div", { className: "panel" });
      panel.append(canvas, controls);
      root.append(make("style", { textContent: STYLE }), panel);

      const context = canvas.getContext("2d");
      const image = context.createImageData(SIZE, SIZE);
      const update = () => {
        const factors = fields.map(({ input }) => Number(input.value));
        fields.forEach(({ input, output }, i) => {
          output.textContent = text(factors[i], FACTORS[i].digits);
          input.setAttribute("aria-valuetext", output.textContent);
        });
        draw(image.data, factors);
        context.putImageData(image, 0, 0);
        const { angle, elongation } = shape(factors);
        said.textContent =
          angle === null
            ? "no long axis: a disc"
            : `long axis at ${text(angle, 0)}°, ${elongation.toFixed(2)} times the short one`;
        canvas.ariaLabel = `Heatmap, white in the middle and black far out: ${said.textContent}.`;
      };
      controls.addEventListener("input", update);
      update();
    }
  }
  customElements.define("vaebook-heatmap", Heatmap);
})();
