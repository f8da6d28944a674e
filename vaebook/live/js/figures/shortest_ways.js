// Two heatmaps and the ways between them: their own geometry unrolled, and the decoder's.

import { placesOf } from "../bytes.js";
import { button, captioned, facts, group, note, number } from "../elements.js";
import { LiveFigure } from "../figure.js";
import { FRAMES, Pair } from "../pair.js";
import { Reel } from "../reel.js";
import { Sector } from "../sector.js";
import { Slice } from "../slice.js";
import { metricOf } from "../ways.js";

const [SLICE, CALM_SLICE] = [9, 25]; // milliseconds of a frame, while something moves and at rest
const QUIET = 150; // milliseconds after which the pair is taken to stay
const WALK = 5000; // milliseconds that the dot walks: to the end, and back to its place
const MARK = "currentColor"; // beside the words about a way, in the style of its line
const WAYS = {
  truth: { title: "the shortest way among heatmaps", dash: [] },
  short: { title: "the decoder's shortest way", dash: [9, 4] },
  line: { title: "the straight line in latent space, decoded", dash: [2, 4] },
};
const ROWS = [
  ["among heatmaps, in this frame", MARK],
  ["the decoder's shortest way", MARK],
  ["the straight line, decoded", MARK],
  ["in a frame without edges"],
  ["chord, not among heatmaps"],
];
const WORDS =
  "Drag A or B in the sector, or dial them. The sector is drawn to scale, as heatmaps lie to each other in a frame without edges; arcs are 5 apart. A length adds up the norms of the differences of images, a pixel counting from 0 to 1. The latent plane leans towards the middle of the decoder's way; codes and ways are projected onto it. A step there from the middle of the ellipse to its rim changes the decoded image by 1.";
const REACH = [
  [0.1, 4.9],
  [0.1, 4.9],
  [-0.95, 0.85],
];
const FACTORS = ["varX", "varY", "corr"];

const clamp = (value, [low, high]) => Math.min(Math.max(value, low), high);

// The dials of one of both heatmaps.
function dialsOf(which, start) {
  const letter = "AB"[which];
  const names = ["var. x", "var. y", "corr."];
  return FACTORS.map((factor, j) => {
    const [min, max] = REACH[j];
    const [digits, step] = j < 2 ? [1, 0.1] : [2, 0.05];
    const words = (value) => number(value, digits);
    const name = `${letter}: ${names[j]}`;
    return [`${factor}${which + 1}`, { name, value: start[j], min, max, step, words }];
  });
}

const inPlane = (name, value) => ({ name, value, min: -1, max: 1, step: 0.02 });
const keysOf = (which) => FACTORS.map((factor) => `${factor}${which + 1}`);
const PAIR = [...keysOf(0), ...keysOf(1)];

function change(length, truth) {
  if (truth < 1e-6) return number(length);
  const percent = 100 * (length / truth - 1);
  return `${number(length)}, ${percent < 0 ? "" : "+"}${number(percent, 1)} %`;
}

export class ShortestWays extends LiveFigure {
  build(box, { encoder, decoder, codes, extent, start }) {
    this.pair = new Pair(this.network(encoder), this.network(decoder));
    this.declare({
      ...Object.fromEntries([0, 1].flatMap((k) => dialsOf(k, start.slice(3 * k, 3 * k + 3)))),
      share: { name: "dot", value: 0.5, min: 0, max: 1, step: 0.01 },
      u1: inPlane("ellipse x", 0),
      u2: inPlane("ellipse y", 0.6),
    });
    const resized = () => this.redraw();
    const put = (which, factors) => this.put(which, factors);
    this.sector = new Sector({ change: put, resized });
    this.pad = new Slice({
      codes: placesOf(codes, extent),
      change: ([u1, u2]) => this.set({ u1, u2 }),
      resized,
    });
    // The ellipse follows a mouse that only hovers.
    this.pad.node.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "mouse" || event.buttons) return;
      const [u1, u2] = this.pad.under(event).map((value) => clamp(value, [-1, 1]));
      this.set({ u1, u2 });
    });
    this.arrange(box);
    this.update(PAIR);
    this.opening = !this.calm;
    this.whenNear(() => {
      this.near = true;
      this.schedule();
    });
  }

  arrange(box) {
    const { labels } = this.settings;
    this.facts = facts(ROWS);
    this.reel = new Reel(WAYS, FRAMES, MARK);
    const walk = button("walk the dot", () => this.walk());
    const bar = group("bar", walk, this.resetButton());
    box.classList.add("vaebook-live-ways");
    this.lay(
      [captioned(this.sector.sheet.node, "the heatmaps' own geometry, unrolled")],
      [captioned(this.pad.node, "latent space, a plane through both codes")],
      group("dials", ...Object.values(labels)),
      this.reel.node,
      group("pair", this.facts.node, group("cell", note(WORDS), bar)),
    );
  }

  // A live notebook sets the factors of both.
  move(z) {
    this.set(Object.fromEntries(PAIR.map((key, i) => [key, z[i]])));
  }

  // What is dragged stays among the heatmaps of the data.
  put(which, factors) {
    const keys = keysOf(which);
    this.set(Object.fromEntries(keys.map((key, j) => [key, clamp(factors[j], REACH[j])])));
  }

  walk() {
    this.walking = performance.now();
    this.schedule();
  }

  update(keys) {
    if (this.pair.cone && !keys.includes("u1") && !keys.includes("u2")) {
      this.opening = false;
      this.walking = null;
    }
    if (keys.some((key) => PAIR.includes(key))) {
      this.other = true;
      this.touched = performance.now();
      this.z = Float32Array.from(PAIR, (key) => this.settings.values[key]);
      this.describe();
      this.report(this.z);
    }
    const { u1, u2 } = this.settings.values;
    this.pad.hold([u1, u2]);
    this.stale = true;
    this.schedule();
  }

  schedule() {
    if (!this.near) return;
    this.frame ??= requestAnimationFrame((time) => {
      this.frame = null;
      this.tick(time);
    });
  }

  // A frame: go on with the ways for a while, and show what is new.
  tick(time) {
    if (this.other) this.choose();
    if (this.go(time)) this.show();
    if (this.pair.done && this.opening) this.walk();
    this.opening &&= !this.pair.done;
    if (this.stale || this.righting || this.walking) this.redraw();
    this.stale = false;
    if (this.busy && this.isConnected) this.schedule();
  }

  get busy() {
    return !this.pair.done || this.righting || this.walking;
  }

  // Whether there is anything new of the ways.
  go(time) {
    const { pair } = this;
    if (pair.done) return false;
    const moving = time - this.touched < QUIET && Boolean(pair.short.images);
    return pair.advance(performance.now() + (moving ? SLICE : CALM_SLICE), moving);
  }

  choose() {
    const { pair } = this;
    const [one, two] = [0, 1].map((k) => Array.from(this.z.subarray(3 * k, 3 * k + 3)));
    pair.choose(one, two);
    this.other = false;
    this.show();
    this.sector.show(pair.cone, pair.images, pair.films.truth.frames[(FRAMES - 1) / 2]);
  }

  // What changes with the pair and with its ways.
  show() {
    const { pair, pad } = this;
    const { bent, ends, encoded } = pair;
    pad.turn(ends, bent[bent.length >> 1], [...ends, ...bent, ...encoded]);
    const { truth, short, line, cone, chord } = pair.lengths;
    this.facts.show([number(truth), ...[short, line, cone, chord].map((l) => change(l, truth))]);
    this.reel.show(pair.films);
    this.stale = true;
  }

  describe() {
    const words = [0, 1].map((k) => {
      const [s1, s2, rho] = this.z.subarray(3 * k, 3 * k + 3);
      return `${"AB"[k]} of variances ${number(s1, 1)} and ${number(s2, 1)}, correlation ${number(rho)}`;
    });
    const pair = words.join(", ");
    this.sector.sheet.node.setAttribute("aria-label", `Flat sector between ${pair}`);
    this.pad.describe(
      "Codes of heatmaps, three ways between two of them, and the metric's ellipse",
    );
  }

  // Where the dot is.
  get share() {
    const { share } = this.settings.values;
    if (!this.walking) return share;
    const now = (performance.now() - this.walking) / WALK;
    if (now >= 1) {
      this.walking = null;
      return share;
    }
    return now < 0.7 ? now / 0.7 : 1 + ((now - 0.7) / 0.3) * (share - 1);
  }

  redraw() {
    const { pair, pad, sector, colours } = this;
    if (!pair.cone || !sector.sheet.width) return;
    const { share } = this;
    this.righting = sector.settle(this.calm);
    if (this.righting) this.schedule();
    sector.draw(colours, share);
    const { u1, u2 } = this.settings.values;
    this.reel.mark(share);
    pad.draw(colours, (context) => this.drawWays(context, share, [u1, u2]));
  }

  drawWays(context, share, probe) {
    const { pair, pad, colours } = this;
    const seen = (places) => places.map((z) => pad.flat(z));
    const ways = { line: pair.ends, short: pair.bent, truth: pair.encoded };
    for (const [way, places] of Object.entries(ways)) {
      pad.drawLine(context, seen(places), colours.ink, WAYS[way].dash);
    }
    for (const place of seen(Object.values(pair.at(share)))) {
      pad.drawDot(context, place, 3, colours);
    }
    const metric = metricOf(pair.jet(pad.deep(probe)));
    pad.drawLine(context, pad.ellipse(probe, metric), colours.ink);
    pad.drawEnds(context, pair.ends, colours);
    pad.drawScale(context, colours);
  }
}
