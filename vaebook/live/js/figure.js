// The custom element that all figures are: it finds its models, keeps its settings in the address,
// and says so where something fails.

import { pointsOf } from "./bytes.js";
import { button, group, make } from "./elements.js";
import { network } from "./network.js";
import { Settings } from "./settings.js";
import { dress } from "./style.js";

export class LiveFigure extends HTMLElement {
  connectedCallback() {
    if (!this.box) this.begin();
    if (!this.alive) return;
    // What is drawn on a canvas takes its ink from the page, which may change it.
    const again = () => this.redraw?.();
    this.watch = new AbortController();
    const { signal } = this.watch;
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again, { signal });
    const theme = new MutationObserver(again);
    theme.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    signal.addEventListener("abort", () => theme.disconnect());
    // In JupyterLab the address is the notebook's; of several figures of one kind it means the first.
    this.addressed =
      document.querySelector(this.localName) === this && !this.closest(".lm-Widget");
    if (this.addressed) addEventListener("hashchange", () => this.follow(), { signal });
    again();
    this.follow();
  }

  disconnectedCallback() {
    this.watch?.abort();
  }

  begin() {
    dress();
    this.calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.box = make("div", { className: "vaebook-live" });
    this.said = make("p", { className: "vaebook-live-note", role: "status" });
    try {
      this.config ??= JSON.parse(this.querySelector("script").textContent);
      this.build(this.box, this.config);
      this.append(this.box);
      // JupyterLab's shortcuts take the arrow keys and Enter from all that isn't marked thus.
      for (const node of this.box.querySelectorAll("button, input, select, [tabindex]")) {
        node.setAttribute("data-lm-suppress-shortcuts", "true");
      }
      for (const done of ["change", "click", "pointerup"]) {
        this.box.addEventListener(done, () => this.write());
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

  // Declare the controls; `update(keys)` is called with those that have changed.
  declare(controls) {
    const name = this.localName.replace("vaebook-", "");
    this.settings = new Settings(name, controls, (keys) => this.update(keys));
    this.written = this.settings.address;
    return this.settings;
  }

  // Set controls from within, as dragging does.
  set(values) {
    this.settings.set(values);
    this.update(Object.keys(values));
  }

  resetButton() {
    return button("reset", () => this.set(this.settings.start));
  }

  // Once the reader lets go of a control its value stands in the address.
  write() {
    this.said.textContent = "";
    const { address } = this.settings;
    if (!this.addressed || address === this.written) return;
    this.written = address;
    history.replaceState(history.state, "", address);
  }

  // Do what the address asks for.
  follow() {
    const asked = this.addressed && this.settings.read(location.hash);
    if (!asked) return false;
    this.set(asked.values);
    this.written = this.settings.address;
    this.scrollIntoView({ block: "nearest" });
    const words = asked.refused.join(", ");
    this.said.textContent = words && `The address asks for ${words}, which there is not here.`;
    return true;
  }

  // One layout for all: a stage of what is seen, with something beside it, and rows below.
  lay(main, side, ...below) {
    const column = (kind, parts) => group(kind, ...parts);
    this.box.append(column("main", main), column("side", side), ...below, this.said);
  }

  // What a plane takes from Python, as the properties of one.
  planeOf({ points, ...given }) {
    return { ...given, ...pointsOf(points), resized: () => this.redraw() };
  }

  // Call once the reader comes near.
  whenNear(action) {
    const watch = new IntersectionObserver(
      (seen) => {
        if (!seen.some(({ isIntersecting }) => isIntersecting)) return;
        watch.disconnect();
        action();
      },
      { rootMargin: "300px" },
    );
    watch.observe(this);
  }

  // Tell a live notebook where the reader is, in the seven digits that float32 has.
  report(z) {
    this.told = Array.from(z, (value) => +value.toPrecision(7));
    this.dispatchEvent(new CustomEvent("vaebook-z", { detail: this.told }));
  }

  // The theme's colours, which may change.
  get colours() {
    const { color, backgroundColor } = getComputedStyle(this.box);
    return { ink: color, ground: backgroundColor };
  }
}
