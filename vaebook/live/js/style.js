// How figures look. On the book's pages and in JupyterLab they take the theme's colours.

const STYLE = `
.vaebook-is-live { container-type: inline-size; display: block; }
.vaebook-live { --ground: var(--pst-color-background, var(--jp-layout-color0, Canvas)); --edge: var(--pst-color-border, #8888); background: var(--ground); color: var(--pst-color-text-base, var(--jp-ui-font-color0, CanvasText)); display: grid; gap: 0.75rem 1.25rem; grid-template-columns: minmax(0, var(--main, 1.6fr)) minmax(0, 1fr); margin-inline: auto; max-width: 780px; text-align: start; }
.vaebook-live > * { grid-column: 1 / -1; min-width: 0; }
.vaebook-live > .vaebook-live-main { grid-column: 1; }
.vaebook-live > .vaebook-live-side { display: flex; flex-direction: column; gap: 0.75rem; grid-column: 2; }
.vaebook-live-side > * { min-width: 0; }
.vaebook-live canvas, .vaebook-live-static img { max-width: 100%; }
.vaebook-live canvas { display: block; }
.vaebook-live-view, .vaebook-live-thumbnail { aspect-ratio: 1; image-rendering: pixelated; object-fit: contain; width: 100%; }
.vaebook-live-easel { cursor: crosshair; touch-action: none; width: 100%; }
.vaebook-live-pictures { align-content: start; display: grid; gap: 0.25rem 0.75rem; grid-template-columns: repeat(var(--across, 1), minmax(0, 1fr)); }
.vaebook-live-pictures > * { min-width: 0; }
.vaebook-live-plane { aspect-ratio: 1; border: 1px solid var(--edge); overflow: hidden; position: relative; width: 100%; }
.vaebook-live-points { height: 100%; width: 100%; }
.vaebook-live-pad { cursor: crosshair; touch-action: none; user-select: none; }
.vaebook-live-pad:focus-visible { outline: 3px solid var(--pst-color-primary, #4177dc); outline-offset: 2px; }
.vaebook-live-handle { border: 3px solid currentColor; border-radius: 50%; box-shadow: 0 0 0 2px var(--ground), inset 0 0 0 2px var(--ground); cursor: grab; height: 18px; margin: -9px; position: absolute; width: 18px; }
.vaebook-live-handle:active { cursor: grabbing; }
.vaebook-live-dials { display: grid; gap: 0.15rem 1.5rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, var(--dial, 15rem)), 1fr)); }
.vaebook-live-dial { align-items: center; display: flex; gap: 0.6rem; margin: 0; }
.vaebook-live-dial input { accent-color: var(--pst-color-primary, #4177dc); flex: 1; min-height: 24px; min-width: min(5rem, 25%); }
.vaebook-live-dial > span { min-width: 1.5em; }
.vaebook-live-dial:has(:disabled) { opacity: 0.5; }
.vaebook-live-dial output { font-variant-numeric: tabular-nums; min-width: 3.2em; text-align: end; white-space: nowrap; }
.vaebook-live-toggle input { flex: none; margin: 0; min-width: 0; width: 1.1rem; }
.vaebook-live .vaebook-live-toggle output { flex: 1; text-align: start; white-space: normal; }
.vaebook-live-bar { align-items: center; display: flex; flex-wrap: wrap; gap: 0.5rem 0.75rem; }
.vaebook-live-bar button { background: none; border: 1px solid var(--edge); border-radius: 4px; color: inherit; font: inherit; min-height: 32px; padding: 0.1rem 0.8rem; }
.vaebook-live-bar button:hover { background: var(--pst-color-surface, #8882); }
.vaebook-live-gallery { border: 0; display: flex; flex-wrap: wrap; gap: 0.25rem; margin: 0; padding: 0; }
.vaebook-live-gallery legend { font-size: 1rem; margin: 0; padding: 0; }
.vaebook-live-gallery label { cursor: pointer; flex: 0 1 44px; margin: 0; position: relative; }
.vaebook-live-gallery input { cursor: pointer; height: 100%; inset: 0; margin: 0; opacity: 0; position: absolute; width: 100%; }
.vaebook-live-gallery canvas { border: 2px solid var(--ground); outline: 1px solid var(--edge); outline-offset: -2px; }
.vaebook-live-gallery :checked + canvas { outline: 3px solid var(--pst-color-primary, #4177dc); outline-offset: -1px; }
.vaebook-live-gallery :focus-visible + canvas { outline: 3px solid currentColor; outline-offset: 1px; }
.vaebook-live-facts { display: grid; font-variant-numeric: tabular-nums; gap: 0 1.25rem; grid-template-columns: auto auto; justify-content: start; }
.vaebook-live .vaebook-live-facts { margin: 0 !important; }
.vaebook-live .vaebook-live-facts dt { font-weight: normal; margin: 0; text-align: start; }
.vaebook-live .vaebook-live-facts dd { margin: 0 !important; text-align: end; }
.vaebook-live .vaebook-live-note { color: var(--pst-color-text-muted, inherit); font-size: 0.9rem; margin: 0; }
.vaebook-live-note:empty { display: none; }
.vaebook-live-facts:has(.vaebook-live-inked) dt { border-inline-start: 4px solid transparent; padding-inline-start: 0.5rem; }
.vaebook-live .vaebook-live-inked { border-inline-start: 4px solid; padding-inline-start: 0.5rem; }
.vaebook-live-error { border-inline-start: 3px solid var(--pst-color-danger, #b00); padding-inline-start: 0.75rem; }
.vaebook-live-idle { opacity: 0.7; }
.vaebook-live-trace { height: 96px; width: 100%; }
.vaebook-live-plot { aspect-ratio: 1.25; touch-action: pan-y; width: 100%; }
.vaebook-live-levels { flex: 1 1 0px; height: 0; min-height: 150px; width: 100%; }
.vaebook-live-pair { display: grid; gap: 0.5rem 1.25rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 14rem), 1fr)); }
.vaebook-live-chains { --main: 1.2fr; }
.vaebook-live-chains .vaebook-live-pictures { --across: 2; }
.vaebook-live-chains.vaebook-live :is(dt:nth-of-type(2), .vaebook-live-pictures > :last-child > .vaebook-live-inked) { border-inline-start-style: dashed; }
.vaebook-live-near { aspect-ratio: 1; border: 1px solid var(--edge); width: 100%; }
.vaebook-live-half { --main: 0.75fr; }
.vaebook-live-half .vaebook-live-pictures { --across: 4; column-gap: 0.5rem; }
.vaebook-live-half .vaebook-live-facts { font-size: 0.85rem; gap: 0 0.5rem; grid-auto-flow: column; grid-template: auto auto / none; justify-content: space-between; }
.vaebook-live-half.vaebook-live .vaebook-live-facts dd { text-align: start; }
.vaebook-live-panel { --main: 0.8fr; max-width: 620px; }
.vaebook-live-tails { --main: 1fr; }
.vaebook-live-tails .vaebook-live-pictures { --across: 2; }
.vaebook-live-cut { aspect-ratio: 1.75; width: 100%; }
.vaebook-live-twins, .vaebook-live-beta { --main: 2.2fr; }
.vaebook-live-walk { --main: 1.35fr; }
.vaebook-live-walk .vaebook-live-pictures { --across: 2; }
.vaebook-live-beta > .vaebook-live-dials { --dial: 9.5rem; }
.vaebook-live-denoising { --main: 1.5fr; }
.vaebook-live-denoising > .vaebook-live-main { display: flex; flex-direction: column; gap: 0.5rem; }
.vaebook-live-denoising .vaebook-live-pictures { --across: 2; }
.vaebook-live-denoising .vaebook-live-facts { grid-template-columns: minmax(0, 1fr) auto; justify-content: stretch; }
.vaebook-live-codebook { --main: 1.9fr; }
.vaebook-live-codebook .vaebook-live-side .vaebook-live-view { max-width: 8rem; }
.vaebook-live-codebook .vaebook-live-handle { border-color: #d28015; border-radius: 3px; }
.vaebook-live-codebook .vaebook-live-facts { grid-template-columns: minmax(0, 1fr) auto; justify-content: stretch; }
.vaebook-live-simplex { --main: 1.35fr; }
.vaebook-live-simplex > .vaebook-live-dials { --dial: 18rem; }
.vaebook-live-simplex .vaebook-live-dial > span { min-width: 7rem; }
.vaebook-live-simplex .vaebook-live-facts { font-size: 0.9rem; grid-template-columns: minmax(0, 1fr) auto; justify-content: stretch; }
.vaebook-live-simplex .vaebook-live-cut { aspect-ratio: 1.35; }
.vaebook-live-drawing { --main: 1fr; }
.vaebook-live-drawing > .vaebook-live-pictures { --across: 2; grid-column: 1; }
.vaebook-live-prior { --main: 1.35fr; }
.vaebook-live-prior > .vaebook-live-main { display: flex; flex-direction: column; gap: 0.5rem; }
.vaebook-live-prior > :has(> .vaebook-live-view) > .vaebook-live-view { aspect-ratio: 4.5; }
.vaebook-live-rest { display: flex; flex-direction: column; gap: 0.5rem; grid-column: 2 !important; }
.vaebook-live-pipeline { gap: 0.5rem 0.75rem; grid-template: "strip strip strip terms" auto "image encoder plane terms" auto "rebuilt decoder lens terms" auto / minmax(0, 1.4fr) minmax(0, 0.62fr) minmax(0, 1.4fr) minmax(0, 0.95fr); }
.vaebook-live-pipeline > .vaebook-live-gallery { grid-area: strip; }
.vaebook-live-at-image { grid-area: image; }
.vaebook-live-at-encoder { grid-area: encoder; }
.vaebook-live-at-plane { grid-area: plane; }
.vaebook-live-at-rebuilt { grid-area: rebuilt; }
.vaebook-live-at-decoder { grid-area: decoder; }
.vaebook-live-at-lens { grid-area: lens; }
.vaebook-live-at-terms { grid-area: terms; }
.vaebook-live-cell { display: flex; flex-direction: column; gap: 0.5rem; overflow-wrap: anywhere; }
.vaebook-live-pipeline .vaebook-live-facts { font-size: 0.9rem; gap: 0 0.25rem; grid-template-columns: minmax(0, 1fr) auto; justify-content: stretch; }
.vaebook-live-pipeline .vaebook-live-net + div .vaebook-live-facts { grid-template-columns: minmax(0, 1fr); line-height: 1.3; }
.vaebook-live.vaebook-live-pipeline .vaebook-live-net + div dd { padding: 0; text-align: start; }
.vaebook-live-net { align-items: center; background: var(--pst-color-surface, #8883); clip-path: polygon(0 0, 100% 28%, 100% 72%, 0 100%); display: flex; font-size: 0.9rem; height: 7rem; justify-content: center; text-align: center; }
.vaebook-live-stack { flex: 1 1 0px; height: 0; min-height: 120px; width: 100%; }
.vaebook-live-trainer { grid-template: "plane side" auto "bar bar" auto "controls chosen" auto / minmax(0, 1.6fr) minmax(0, 1fr); }
.vaebook-live-trainer > .vaebook-live-plane { cursor: pointer; grid-area: plane; touch-action: manipulation; }
.vaebook-live-trainer > .vaebook-live-bar { grid-area: bar; }
.vaebook-live-trainer > .vaebook-live-dials { --dial: 100%; align-content: start; grid-area: controls; }
.vaebook-live-trainer > .vaebook-live-side { display: grid; gap: 0.5rem; grid-area: side; grid-template: auto minmax(80px, 1fr) auto / minmax(0, 1fr); }
.vaebook-live-curve { height: 0; min-height: 100%; width: 100%; }
:is(.vaebook-live-chains, .vaebook-live-trainer) .vaebook-live-facts { font-size: 0.85rem; gap: 0 0.5rem; grid-auto-flow: column; grid-template: auto auto / none; justify-content: space-between; }
.vaebook-live .vaebook-live-side .vaebook-live-facts dd { padding: 0; }
:is(.vaebook-live-chains, .vaebook-live-trainer).vaebook-live .vaebook-live-facts dd { text-align: start; }
.vaebook-live-chains.vaebook-live dd { padding-inline-start: 0.75rem; }
.vaebook-live-chosen { grid-area: chosen; }
.vaebook-live-chosen .vaebook-live-pictures { --across: 2; }
.vaebook-live-run .vaebook-live-side { flex: 1; }
.vaebook-live-run .vaebook-live-curve { flex: 1 1 0px; height: 0; min-height: 160px; }
.vaebook-live-ways { --main: 1fr; }
.vaebook-live-ways > .vaebook-live-dials { font-size: 0.9rem; grid-auto-flow: column; grid-template: repeat(3, auto) / repeat(3, minmax(0, 1fr)); }
.vaebook-live-ways .vaebook-live-dial > span { white-space: nowrap; }
.vaebook-live-refinement { --main: 1.35fr; }
.vaebook-live-refinement .vaebook-live-pictures { --across: 2; }
.vaebook-live-refinement .vaebook-live-facts { font-size: 0.9rem; grid-template-columns: minmax(0, 1fr) auto; justify-content: stretch; }
.vaebook-live-refinement > .vaebook-live-dials { --dial: 18rem; }
.vaebook-live-refinement .vaebook-live-dial > span { min-width: 5rem; }
.vaebook-live-gaps { height: 98px; width: 100%; }
.vaebook-live-sector { aspect-ratio: 1; border: 1px solid var(--edge); touch-action: none; width: 100%; }
:is(.vaebook-live-ways, .vaebook-live-refinement) .vaebook-live-handle { border-width: 2px; height: 8px; margin: -4px; width: 8px; }
.vaebook-live-films { display: grid; gap: 0.5rem; }
.vaebook-live-film { display: grid; gap: 3px; grid-auto-columns: minmax(0, 1fr); grid-auto-flow: column; }
.vaebook-live-now { outline: 2px solid; }
.vaebook-live-ways .vaebook-live-pair { grid-template-columns: auto minmax(12rem, 1fr); }
.vaebook-live.vaebook-live-ways :is(.vaebook-live-inked, dt) { border: 0; padding-inline-start: 2.4rem; }
.vaebook-live-ways .vaebook-live-inked::before { border-block-start: 3px solid; content: ""; display: inline-block; margin-inline: -2.4rem 0.4rem; vertical-align: middle; width: 2rem; }
.vaebook-live-ways :is(.vaebook-live-films > :nth-child(2) > .vaebook-live-inked, dt:nth-of-type(2))::before { border-block-start-style: dashed; }
.vaebook-live-ways :is(.vaebook-live-films > :nth-child(3) > .vaebook-live-inked, dt:nth-of-type(3))::before { border-block-start-style: dotted; }
.vaebook-live-play { min-width: 5.5rem; }
.vaebook-live-count { font-variant-numeric: tabular-nums; }
@container (min-width: 300px) {
  .vaebook-live-many { grid-template-columns: minmax(0, 0.7fr) minmax(0, 1fr) !important; }
  .vaebook-live-many > .vaebook-live-side { grid-column: 2 !important; }
  .vaebook-live-trainer .vaebook-live-dials .vaebook-live-dial > span { min-width: 6.5rem; }
  .vaebook-live-chains .vaebook-live-facts, .vaebook-live-trainer .vaebook-live-facts { white-space: nowrap; }
}
@container (max-width: 540px) {
  .vaebook-live { grid-template-columns: minmax(0, 1fr); }
  .vaebook-live > .vaebook-live-side { grid-column: 1; }
  .vaebook-live-map > .vaebook-live-side { flex-flow: row wrap; }
  .vaebook-live-map > .vaebook-live-side > * { align-content: start; flex: 1 1 9rem; }
  .vaebook-live-panel .vaebook-live-view { max-width: 16rem; }
  :is(.vaebook-live-half, .vaebook-live-prior) .vaebook-live-easel { max-width: 15rem; }
  .vaebook-live-twins .vaebook-live-pictures, .vaebook-live-beta .vaebook-live-pictures { --across: 2; }
  .vaebook-live-levels { height: 150px; }
  .vaebook-live-film > :nth-child(even) { display: none; }
  .vaebook-live-ways > .vaebook-live-dials { grid-auto-flow: row; grid-template: none / minmax(0, 1fr); }
  .vaebook-live-ways .vaebook-live-dial > span { min-width: 8.5rem; }
  .vaebook-live-ways .vaebook-live-pair { grid-template-columns: minmax(0, 1fr); }
  .vaebook-live.vaebook-live-chains { gap: 0.5rem; }
  .vaebook-live-chains .vaebook-live-pictures { --across: 4; column-gap: 0.5rem; }
  .vaebook-live-chains .vaebook-live-note { line-height: 1.35; }
  .vaebook-live-chains .vaebook-live-trace { height: 64px; }
  .vaebook-live-chains .vaebook-live-bar { gap: 0.5rem; justify-content: space-between; }
  .vaebook-live-chains .vaebook-live-bar button { min-width: 0; padding-inline: 0.5rem; }
  .vaebook-live-chains .vaebook-live-play { min-width: 4rem !important; }
  .vaebook-live-drawing > .vaebook-live-pictures, .vaebook-live-rest { grid-column: 1 !important; }
  .vaebook-live-pipeline { grid-template: "strip strip strip" auto "image encoder encoder" auto "plane plane plane" auto "rebuilt decoder lens" auto "terms terms terms" 10rem / minmax(0, 1.1fr) minmax(0, 0.9fr) minmax(0, 1.3fr); }
  .vaebook-live-at-terms { flex-direction: row; }
  .vaebook-live-at-terms > * { flex: 1 1 50%; min-width: 0; }
  .vaebook-live-at-terms > .vaebook-live-stack { height: 10rem; width: 50%; }
  .vaebook-live-trainer { grid-template: "plane" auto "bar" auto "controls" auto "side" auto "chosen" auto / minmax(0, 1fr); }
  .vaebook-live-trainer > .vaebook-live-side { grid-area: side; grid-template-rows: auto 110px auto; }
  .vaebook-live-chosen .vaebook-live-pictures { grid-template-columns: repeat(2, min(8rem, 45%)); }
}
@container (max-width: 300px) {
  .vaebook-live-dial { flex-wrap: wrap; }
  :is(.vaebook-live-half, .vaebook-live-chains, .vaebook-live-trainer) .vaebook-live-facts { grid-auto-flow: row; grid-template: none / minmax(0, 1fr) auto; }
  .vaebook-live-ways .vaebook-live-facts { grid-template-columns: minmax(0, 1fr); }
  .vaebook-live-chains .vaebook-live-pictures { --across: 2; }
  .vaebook-live-at-terms { flex-direction: column; }
  .vaebook-live-at-terms > .vaebook-live-stack { width: 100%; }
}
@media screen { .vaebook-is-live > .vaebook-live-static { display: none; } }
@media print { .vaebook-is-live > .vaebook-live { display: none; } }
`;

// Give a page the style, once.
export function dress() {
  if (document.getElementById("vaebook-live-style")) return;
  const style = document.createElement("style");
  style.id = "vaebook-live-style";
  style.textContent = STYLE;
  document.head.append(style);
}
