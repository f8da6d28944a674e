// How figures look. On the book's pages they take the theme's colours, elsewhere the page's own.

const STYLE = `
.vaebook-live { color: var(--pst-color-text-base, inherit); display: grid; gap: 0.75rem; grid-template-columns: minmax(0, 1fr); margin-inline: auto; max-width: 700px; text-align: start; }
.vaebook-live-stage { align-items: start; display: flex; flex-wrap: wrap; gap: 0.75rem 1.25rem; justify-content: center; }
.vaebook-live-stage > * { min-width: 0; }
.vaebook-live canvas, .vaebook-live-static img { max-width: 100%; }
.vaebook-live-view { aspect-ratio: 1; image-rendering: pixelated; object-fit: contain; width: 168px; }
.vaebook-live-easel { cursor: crosshair; touch-action: none; width: 168px; }
.vaebook-live-pictures { display: grid; gap: 0 1.25rem; grid-template-columns: auto auto; justify-content: start; }
.vaebook-live-pictures > * { min-width: 0; }
.vaebook-live-pad { background-size: 100% 100%; border: 1px solid var(--pst-color-border, #8888); cursor: crosshair; flex: 1 1 260px; max-width: 420px; aspect-ratio: 1; position: relative; touch-action: none; user-select: none; }
.vaebook-live-pad canvas { height: 100%; inset: 0; pointer-events: none; position: absolute; width: 100%; }
.vaebook-live-handle { border: 3px solid var(--pst-color-text-base, currentColor); border-radius: 50%; box-shadow: 0 0 0 2px var(--pst-color-background, Canvas); height: 18px; margin: -9px; pointer-events: none; position: absolute; width: 18px; }
.vaebook-live-sheet { display: block; width: 100%; }
.vaebook-live-dials { display: grid; gap: 0.15rem 1.5rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr)); }
.vaebook-live-dial { align-items: center; display: flex; gap: 0.6rem; margin: 0; }
.vaebook-live-dial input { accent-color: var(--pst-color-primary, #4177dc); flex: 1; min-width: min(5rem, 25%); min-height: 24px; }
.vaebook-live-dial:has(:disabled) { opacity: 0.5; }
.vaebook-live-dial output { font-variant-numeric: tabular-nums; min-width: 3.2em; text-align: end; }
.vaebook-live-bar { align-items: center; display: flex; flex-wrap: wrap; gap: 0.5rem 0.75rem; }
.vaebook-live-bar button { background: none; border: 1px solid var(--pst-color-border, #888); border-radius: 4px; color: inherit; font: inherit; min-height: 32px; padding: 0.1rem 0.8rem; }
.vaebook-live-bar select { max-width: 100%; }
.vaebook-live-bar button:hover { background: var(--pst-color-surface, #8882); }
.vaebook-live-facts { display: grid; gap: 0 1.25rem; grid-template-columns: auto auto; font-variant-numeric: tabular-nums; justify-content: start; }
.vaebook-live .vaebook-live-facts { margin: 0 !important; }
.vaebook-live .vaebook-live-facts dt { font-weight: normal; margin: 0; text-align: start; }
.vaebook-live .vaebook-live-facts dd { margin: 0 !important; text-align: end; }
.vaebook-live .vaebook-live-note { color: var(--pst-color-text-muted, inherit); font-size: 0.9rem; margin: 0; }
.vaebook-live-inked { border-inline-start: 4px solid; padding-inline-start: 0.5rem; }
.vaebook-live-controls { display: grid; flex: 1 1 240px; gap: 0.5rem; grid-template-columns: minmax(0, 1fr); }
.vaebook-live-error { border-inline-start: 3px solid var(--pst-color-danger, #b00); padding-inline-start: 0.75rem; }
.vaebook-live-toggle input { flex: none; margin: 0; min-width: 0; width: 1.1rem; }
.vaebook-live .vaebook-live-toggle output { flex: 1; text-align: start; }
vaebook-trainer { container-type: inline-size; display: block; }
.vaebook-live-trainer { gap: 0.75rem 1.25rem; grid-template: "plane side" auto "bar bar" auto "controls chosen" auto / minmax(0, 1.6fr) minmax(0, 1fr); max-width: 780px; }
.vaebook-live-trainer > .vaebook-live-bar { grid-area: bar; }
.vaebook-live-trainer > .vaebook-live-controls { align-content: start; gap: 0.15rem; grid-area: controls; }
.vaebook-live-plane { aspect-ratio: 1; background: var(--pst-color-background, Canvas); border: 1px solid var(--pst-color-border, #8888); color: inherit; cursor: pointer; grid-area: plane; touch-action: manipulation; width: 100%; }
.vaebook-live-side { display: grid; gap: 0.5rem; grid-area: side; grid-template: auto minmax(80px, 1fr) auto / minmax(0, 1fr); }
.vaebook-live .vaebook-live-mosaic { width: 100%; }
.vaebook-live-curve { height: 0; min-height: 100%; width: 100%; }
.vaebook-live-side .vaebook-live-facts { font-size: 0.85rem; gap: 0 0.5rem; grid-auto-flow: column; grid-template: auto auto / none; justify-content: space-between; }
.vaebook-live .vaebook-live-side .vaebook-live-facts dd { padding: 0; text-align: start; }
.vaebook-live-chosen { grid-area: chosen; }
.vaebook-live-chosen .vaebook-live-pictures { gap: 0 0.75rem; grid-template-columns: 1fr 1fr; }
.vaebook-live-chosen .vaebook-live-view { width: 100%; }
.vaebook-live-play { min-width: 5.5rem; }
.vaebook-live-count { font-variant-numeric: tabular-nums; }
@container (min-width: 300px) {
  .vaebook-live-controls .vaebook-live-dial > span { min-width: 6.5rem; }
  .vaebook-live-side .vaebook-live-facts { white-space: nowrap; }
}
@container (max-width: 540px) {
  .vaebook-live-trainer { grid-template: "plane" auto "bar" auto "side" auto "chosen" auto "controls" auto / minmax(0, 1fr); }
  .vaebook-live-side { grid-template-rows: auto 110px auto; }
  .vaebook-live-chosen .vaebook-live-pictures { grid-template-columns: repeat(2, min(8rem, 45%)); }
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
