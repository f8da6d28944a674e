(() => {
  const load = () =>
    new Promise((done, failed) => {
      const { define } = window;
      const script = document.createElement("script");
      script.src = "https://cdn.plot.ly/plotly-VERSION.min.js";
      script.integrity = "sha256-DIGEST";
      script.crossOrigin = "anonymous";
      script.onload = script.onerror = () => {
        window.define = define;
        if (window.Plotly) done(window.Plotly);
        else failed(new Error("plotly is out of reach"));
      };
      window.define = undefined; // an AMD loader would keep plotly from the page
      document.head.append(script);
    });
  const draw = async () => {
    // On the book's own pages nothing is drawn here, and no other host is asked.
    if (document.querySelector('script[src*="vaebook-plots.js"]')) return;
    for (const box of document.querySelectorAll(".vaebook-plot:not([data-elsewhere])")) {
      box.dataset.elsewhere = "";
      const json = box.querySelector('script[type="application/json"]').textContent;
      const { data, layout, frames, config } = JSON.parse(json);
      const Plotly = window.Plotly ?? (await (window.vaebookPlotly ??= load()));
      box.querySelector(".vaebook-plot-fallback").remove();
      const canvas = box.querySelector(".vaebook-plot-canvas");
      Plotly.newPlot(canvas, { data, layout, frames, config: { ...config, responsive: true } });
    }
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", draw);
  else draw();
})();
