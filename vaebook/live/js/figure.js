// The custom element that all figures are: it finds its models, and says so where that fails.

import { make } from "./elements.js";
import { network } from "./network.js";
import { dress } from "./style.js";

export class LiveFigure extends HTMLElement {
  connectedCallback() {
    if (!this.box) this.begin();
    if (!this.redraw || !this.alive) return;
    // What is drawn on a canvas takes its ink from the page, which may change it.
    const again = () => this.redraw();
    this.watch = new AbortController();
    const { signal } = this.watch;
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again, { signal });
    const theme = new MutationObserver(again);
    theme.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    signal.addEventListener("abort", () => theme.disconnect());
    again();
  }

  disconnectedCallback() {
    this.watch?.abort();
  }

  begin() {
    dress();
    this.box = make("div", { className: "vaebook-live" });
    try {
      this.config ??= JSON.parse(this.querySelector("script").textContent);
      this.build(this.box, this.config);
      this.append(this.box);
      // JupyterLab's shortcuts take the arrow keys and Enter from all that isn't marked thus.
      for (const node of this.box.querySelectorAll("button, input, select, [tabindex]")) {
        node.setAttribute("data-lm-suppress-shortcuts", "true");
      }
      this.classList.add("vaebook-is-live");
      this.dispatchEvent(new CustomEvent("vaebook-live"));
    } catch (error) {
      const words = `This figure could not be brought to life: ${error.message}.`;
      this.append(
        make("p", { className: "vaebook-live-error", role: "alert", textContent: words }),
      );
    }
  }

  get alive() {
    return this.classList.contains("vaebook-is-live");
  }

  // A model that a widget brought, or that stands anywhere on this page.
  network(hash) {
    const page = `script[data-model="${hash}"]`;
    const text = this.models?.[hash] ?? document.querySelector(page)?.textContent;
    if (text === undefined) throw new Error("its model is not on this page: run the cell again");
    return network(hash, text);
  }

  // Tell a live notebook where the reader is, in the seven digits that float32 has.
  report(z) {
    this.told = Array.from(z, (value) => +value.toPrecision(7));
    this.dispatchEvent(new CustomEvent("vaebook-z", { detail: this.told }));
  }

  get ink() {
    return getComputedStyle(this.box.isConnected ? this.box : this).color;
  }

  cloud() {
    return this.config.cloud ?? this.querySelector("[data-part=cloud]").src;
  }
}
