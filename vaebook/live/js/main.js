// The book's live figures: custom elements that run a model in the reader's browser, defined for
// a page, and the module of an anywidget.

import { sha256 } from "./bytes.js";
import { Chain } from "./chain.js";
import { bestQ, elboTerms } from "./elbo.js";
import { BetaDial } from "./figures/beta_dial.js";
import { Chains } from "./figures/chains.js";
import { Codebook } from "./figures/codebook.js";
import { Denoising } from "./figures/denoising.js";
import { DrawDigit } from "./figures/draw_digit.js";
import { DrawPrior } from "./figures/draw_prior.js";
import { ElboBench } from "./figures/elbo_bench.js";
import { HalfDigit } from "./figures/half_digit.js";
import { HeatmapPanel } from "./figures/heatmap_panel.js";
import { HeatmapWalk } from "./figures/heatmap_walk.js";
import { LatentMap } from "./figures/latent_map.js";
import { Pipeline } from "./figures/pipeline.js";
import { Refinement } from "./figures/refinement.js";
import { Run } from "./figures/run.js";
import { ShortestWays } from "./figures/shortest_ways.js";
import { Simplex } from "./figures/simplex.js";
import { Tails } from "./figures/tails.js";
import { Trainer } from "./figures/trainer.js";
import { Twins } from "./figures/twins.js";
import { frame } from "./frame.js";
import { fitHeatmap } from "./heatmaps.js";
import { Network, networks } from "./network.js";

const FIGURES = {
  "vaebook-beta-dial": BetaDial,
  "vaebook-chains": Chains,
  "vaebook-codebook": Codebook,
  "vaebook-denoising": Denoising,
  "vaebook-draw-digit": DrawDigit,
  "vaebook-draw-prior": DrawPrior,
  "vaebook-elbo-bench": ElboBench,
  "vaebook-half-digit": HalfDigit,
  "vaebook-heatmap-panel": HeatmapPanel,
  "vaebook-heatmap-walk": HeatmapWalk,
  "vaebook-latent-map": LatentMap,
  "vaebook-pipeline": Pipeline,
  "vaebook-refinement": Refinement,
  "vaebook-run": Run,
  "vaebook-shortest-ways": ShortestWays,
  "vaebook-simplex": Simplex,
  "vaebook-tails": Tails,
  "vaebook-trainer": Trainer,
  "vaebook-twins": Twins,
};
for (const [tag, figure] of Object.entries(FIGURES)) {
  if (!customElements.get(tag)) customElements.define(tag, figure);
}

// For tests, and for the curious: the networks of this page.
globalThis.vaebook ??= { networks, Network, Chain, bestQ, elboTerms, fitHeatmap, frame, sha256 };

// The same elements in a notebook, with `z` kept in step with Python.
function render({ model, el }) {
  const figure = document.createElement(model.get("tag"));
  figure.config = model.get("config");
  figure.models = model.get("models");
  const follow = () => {
    const z = model.get("z");
    if (z.length && String(z) !== String(figure.told)) figure.move(z);
  };
  const tell = () => {
    if (!figure.told || String(figure.told) === String(model.get("z"))) return;
    model.set("z", figure.told);
    model.save_changes();
  };
  figure.addEventListener("vaebook-drawn", ({ detail }) => {
    model.set("drawn", detail);
    model.save_changes();
  });
  figure.addEventListener("vaebook-live", () => {
    follow(); // Python may have set it before it was shown
    tell();
    figure.addEventListener("vaebook-z", tell);
    model.on("change:z", follow);
    if (figure.renew) model.on("change:config", () => figure.renew(model.get("config")));
  });
  el.append(figure);
}

export default { render };
