// Draws the figures that vaebook's renderer leaves on a page as JSON. Plotly itself is loaded
// once, when the first figure comes near the view; colours and fonts follow the theme.
(() => {
  "use strict";
  const here = document.currentScript.src;
  const root = document.documentElement;
  const MOST_WEBGL = 5; // browsers drop the oldest of about 16 contexts, plotly takes up to 3 each
  const PICTURE = 96; // of the image beside a cloud, in CSS pixels
  const NARROW = 500; // CSS pixels, below which some figures are arranged otherwise
  const MOST_NAMES = 12; // at an axis on a phone
  const LINE = 22; // CSS pixels, of a name above a row of images
  const WORDS = 66; // CSS pixels, what the words at the axes of a box in space need around it
  const drawn = new Set();
  let library = null;

  function load() {
    library ??= new Promise((done, failed) => {
      const script = document.createElement("script");
      // Plotly's bundle would register itself with an AMD loader instead of with the page.
      const define = window.define;
      window.define = undefined;
      script.src = new URL("../vendor/plotly.min.js", here).href;
      script.onload = () => {
        window.define = define;
        done(window.Plotly);
      };
      script.onerror = () => {
        window.define = define;
        failed(new Error("plotly is missing"));
      };
      document.head.append(script);
    });
    return library;
  }

  function colours() {
    const style = getComputedStyle(root);
    const pick = (name) => style.getPropertyValue(`--pst-color-${name}`).trim();
    return {
      ink: pick("text-base"),
      soft: pick("text-muted"),
      panel: pick("surface"),
      rule: pick("border"),
    };
  }

  // The book's template in the colours of the theme.
  function dressed(template) {
    const { ink, soft, panel, rule } = colours();
    const layout = structuredClone(template?.layout ?? {});
    layout.font = {
      ...layout.font,
      color: soft,
      family: getComputedStyle(document.body).fontFamily,
    };
    layout.title = { ...layout.title, font: { ...layout.title?.font, color: ink } };
    layout.hoverlabel = {
      ...layout.hoverlabel,
      bgcolor: panel,
      bordercolor: rule,
      font: { ...layout.hoverlabel?.font, color: ink },
    };
    layout.modebar = { bgcolor: "rgba(0,0,0,0)", color: soft, activecolor: ink };
    for (const axis of ["xaxis", "yaxis", "zaxis"]) {
      layout.scene[axis] = {
        ...layout.scene[axis],
        gridcolor: rule,
        linecolor: rule,
        zerolinecolor: rule,
        color: soft,
      };
    }
    // The page's style gives them a rim in its colour instead of a ground.
    layout.annotationdefaults = {
      ...layout.annotationdefaults,
      bgcolor: "rgba(0, 0, 0, 0)",
      font: { ...layout.annotationdefaults?.font, color: ink },
    };
    return { ...template, layout };
  }

  const scenes = (layout) => Object.keys(layout).filter((key) => /^scene\d*$/.test(key));
  const isNarrow = ({ box }) => box.clientWidth < NARROW;

  // The height that gives the plotting area w pixels wide its aspect; pictures keep it exactly,
  // other figures stay legible on a phone.
  function areaHeight(plot, w) {
    const { data, layout } = plot.figure;
    const { aspect, rows, narrow: other } = layout.meta;
    const narrow = isNarrow(plot);
    const least = data[0]?.type === "image" ? 0 : 210;
    const taller = narrow ? Math.max(1, scenes(layout).length) ** 2 : 1;
    const names = narrow && rows ? LINE * rows.names.length : 0;
    const shape = narrow && other ? other.aspect : aspect * taller;
    return Math.max(Math.max(60, w) * shape, least) + names;
  }

  // The figure as it is drawn at a width.
  function arranged(plot, width) {
    const { data, frames, layout } = plot.figure;
    const given = { data, frames, layout };
    if (!isNarrow(plot)) return given;
    if (layout.meta?.rows) return { ...given, ...namesAbove(data, layout, width) };
    if (layout.meta?.narrow) Object.assign(given, rearranged(data, layout));
    if (bars(data).length === 1) Object.assign(given, barBelow(plot, given));
    return { ...given, layout: everyOther(onePerRow(given.layout)) };
  }

  // What a figure wants otherwise on a phone: parts of its layout, places of its notes, and traces
  // once more on other axes.
  function rearranged(data, layout) {
    const { parts = {}, notes = {}, again } = layout.meta.narrow;
    const changed = { ...layout };
    for (const [name, part] of Object.entries(parts)) changed[name] = { ...layout[name], ...part };
    changed.annotations = layout.annotations?.map((note, k) => ({ ...note, ...notes[k] }));
    return {
      data: again ? [...data, ...data.map((t) => ({ ...t, ...again }))] : data,
      layout: changed,
    };
  }

  // Bars of colours that stand beside a figure because nobody gave them another place.
  const barOf = ({ type, marker, showscale, colorbar }) => {
    if (["heatmap", "contour"].includes(type)) return showscale !== false && (colorbar ?? {});
    return marker?.showscale !== false && marker?.colorbar;
  };
  const bars = (data) =>
    data.filter((trace) => {
      const bar = barOf(trace);
      return bar && !bar.orientation && bar.x === undefined;
    });

  // The bar of colours below the figure: beside it, it would take a third of a phone's width.
  function barBelow(plot, { data, frames = [], layout }) {
    const words = scenes(layout).length ? 0 : layout.xaxis?.title?.text ? 58 : 30;
    const height = areaHeight(plot, plot.box.clientWidth - layout.margin.l - layout.margin.r);
    const below = (trace) => {
      const bar = barOf(trace);
      if (!bar) return trace;
      const title = typeof bar.title === "string" ? { text: bar.title } : bar.title;
      const colorbar = {
        ...bar,
        orientation: "h",
        x: 0.5,
        xanchor: "center",
        y: -words / height,
        yanchor: "top",
        len: 0.9,
        title: { ...title, side: "top" },
      };
      return trace.marker?.colorbar
        ? { ...trace, marker: { ...trace.marker, colorbar } }
        : { ...trace, colorbar };
    };
    return {
      data: data.map(below),
      frames: frames.map((shot) => ({ ...shot, data: shot.data.map(below) })),
      layout,
    };
  }

  // Round numbers at the upright axis of a box, without the lowest, which would lie on one of
  // another axis.
  function openCorner([low, high], narrow) {
    const rough = (high - low) / (narrow ? 4 : 5);
    const size = 10 ** Math.floor(Math.log10(rough));
    const step = size * [1, 2, 5, 10].find((fold) => fold * size >= rough);
    const first = Math.ceil((low + 0.12 * (high - low)) / step);
    const count = Math.floor(high / step) - first + 1;
    return Array.from({ length: Math.max(count, 0) }, (_, k) => (first + k) * step);
  }

  // The rows of a grid with their names above them: beside them these would take a third of the
  // width of a phone.
  function namesAbove(data, layout, width) {
    const { names, pitch } = layout.meta.rows;
    const { margin, xaxis, yaxis } = layout;
    const [bottom, top] = yaxis.range;
    const line = (LINE * (xaxis.range[1] - xaxis.range[0])) / (width - margin.l - margin.r);
    const lower = (y) => y + line * (1 + Math.floor((y + 0.5) / pitch));
    const annotations = names.map((text, row) => ({
      text,
      x: 0,
      xref: "paper",
      xanchor: "left",
      y: row * pitch + line * (1 + row),
      yanchor: "bottom",
      yshift: 2,
      showarrow: false,
      font: { color: colours().soft },
    }));
    const range = [bottom + line * names.length, top];
    return {
      data: data.map((trace) =>
        trace.type === "image"
          ? { ...trace, y0: lower(trace.y0) }
          : { ...trace, y: trace.y.map(lower) },
      ),
      layout: { ...layout, yaxis: { ...yaxis, showticklabels: false, range }, annotations },
    };
  }

  // Of many names at an axis, which would touch, every other one.
  function everyOther(layout) {
    const changed = { ...layout };
    for (const name of Object.keys(layout).filter((key) => /^xaxis\d*$/.test(key))) {
      const { ticktext = [] } = layout[name];
      if (ticktext.filter(Boolean).length <= MOST_NAMES) continue;
      const kept = ticktext.map((text, i) => (i % 2 ? "" : text));
      changed[name] = { ...layout[name], ticktext: kept };
    }
    return changed;
  }

  // Boxes in space that stand side by side, one below the other, and their titles with them. The
  // words at their axes do not shrink with them: small boxes have fewer.
  function onePerRow(layout) {
    const boxes = scenes(layout);
    const axes = ["xaxis", "yaxis", "zaxis"];
    const changed = { ...layout };
    boxes.forEach((name, row) => {
      const scene = (changed[name] = { ...layout[name] });
      for (const axis of axes) scene[axis] = { nticks: 4, tickfont: { size: 11 }, ...scene[axis] };
      if (boxes.length === 1) return;
      const top = 1 - row / boxes.length;
      scene.domain = { x: [0, 1], y: [top - 0.93 / boxes.length, top] };
      changed.annotations = changed.annotations?.map((note, k) =>
        k === row ? { ...note, x: 0.5, y: top, yanchor: row ? "middle" : "bottom" } : note,
      );
    });
    return changed;
  }

  function heightFor(plot, width) {
    const { margin, meta, height } = plot.figure.layout;
    if (!meta?.aspect) return height ?? 420;
    return Math.round(areaHeight(plot, width - margin.l - margin.r)) + margin.t + margin.b;
  }

  // Where to see a box in space from, along the line of its camera, so that with words around it
  // the box fills a view of width by height pixels. Plotly's camera sees 45 degrees upwards.
  function framed({ eye, center, up }, box, width, height, words) {
    const dot = (a, b) => a.x * b.x + a.y * b.y + a.z * b.z;
    const times = (k, { x, y, z }) => ({ x: k * x, y: k * y, z: k * z });
    const plus = (a, b) => ({ x: a.x + b.x, y: a.y + b.y, z: a.z + b.z });
    const across = (a, b) => ({
      x: a.y * b.z - a.z * b.y,
      y: a.z * b.x - a.x * b.z,
      z: a.x * b.y - a.y * b.x,
    });
    const unit = (a) => times(1 / Math.sqrt(dot(a, a)), a);
    const from = unit(plus(eye, times(-1, center)));
    const right = unit(across(up, from));
    const above = across(from, right);
    const corners = [-0.5, 0.5].flatMap((i) =>
      [-0.5, 0.5].flatMap((j) =>
        [-0.5, 0.5].map((k) => ({ x: i * box.x, y: j * box.y, z: k * box.z })),
      ),
    );
    const tangent = (pixels) => Math.max(0.1, pixels / (height / 2)) * Math.tan(Math.PI / 8);
    // Below the box there are numbers at its corners, and words at the middles of its lower edges.
    const edges = corners
      .filter(({ z }) => z < 0)
      .flatMap((corner) => [
        { ...corner, x: 0 },
        { ...corner, y: 0 },
      ]);
    const [side, foot, numbers, head] = [width / 2 - words, -words, -words / 2, -8].map(
      (room, k) => tangent(k ? height / 2 + room : room),
    );
    // Along a side of the view, as seen from the middle: the places with the tangents of the room
    // on both sides. Every pair of them has to fit.
    const sides = [
      [right, corners.map((c) => [c, side, side])],
      [above, [...corners.map((c) => [c, numbers, head]), ...edges.map((c) => [c, foot, head])]],
    ];
    const distance = Math.max(
      ...sides.flatMap(([axis, places]) =>
        places.flatMap(([p, low]) =>
          places.map(
            ([q, , high]) =>
              (dot(q, axis) - dot(p, axis) + high * dot(q, from) + low * dot(p, from)) /
              (high + low),
          ),
        ),
      ),
    );
    const middle = sides
      .map(([axis, places]) => {
        const most = places.map(([p, low]) => dot(p, axis) + low * (distance - dot(p, from)));
        const least = places.map(([q, , high]) => dot(q, axis) - high * (distance - dot(q, from)));
        return times((Math.min(...most) + Math.max(...least)) / 2, axis);
      })
      .reduce(plus);
    return { eye: plus(middle, times(distance, from)), center: middle };
  }

  // Each box in space as near as its words allow, seen as it is.
  async function frame({ canvas, narrow, figure }) {
    const { _fullLayout: full } = canvas;
    const moves = {};
    for (const name of scenes(full)) {
      const { camera, aspectratio, domain, xaxis, zaxis } = full[name];
      const width = full._size.w * (domain.x[1] - domain.x[0]);
      const height = full._size.h * (domain.y[1] - domain.y[0]);
      const words = xaxis.title.text ? WORDS : WORDS / 2;
      const { eye, center } = framed(camera, aspectratio, width, height, words);
      moves[`${name}.camera.eye`] = eye;
      moves[`${name}.camera.center`] = center;
      const free = !figure.layout[name].zaxis?.tickvals && zaxis.showticklabels && zaxis.range;
      if (free) moves[`${name}.zaxis.tickvals`] = openCorner(zaxis.range, narrow);
    }
    if (Object.keys(moves).length) await window.Plotly.relayout(canvas, moves);
  }

  // Legends and labels take room that is known only after drawing.
  async function fit(plot) {
    if (!plot.figure.layout.meta?.aspect) return;
    const { _size: area, height } = plot.canvas._fullLayout;
    const more = Math.round(areaHeight(plot, area.w) - area.h);
    if (Math.abs(more) > 2) await window.Plotly.relayout(plot.canvas, { height: height + more });
  }

  function fail(plot, message) {
    plot.canvas?.remove();
    const note =
      plot.box.querySelector(".vaebook-plot-fallback") ??
      plot.box.appendChild(document.createElement("p"));
    note.className = "vaebook-plot-fallback vaebook-plot-error";
    note.textContent = `This figure could not be drawn: ${message}. ${note.textContent}`.trim();
  }

  // A range input of n values with its name before it and room for words behind it.
  function dial(name, n, value) {
    const label = document.createElement("label");
    const output = document.createElement("output");
    const range = document.createElement("input");
    Object.assign(range, { type: "range", min: 0, max: n - 1, step: 1, value });
    label.className = "vaebook-plot-slider";
    label.append(
      Object.assign(document.createElement("span"), { innerHTML: name }),
      range,
      output,
    );
    return { label, range, output };
  }

  // Plotly's own slider can't be reached by keyboard, a range input can.
  function control(plot) {
    const [steps] = plot.figure.layout.sliders ?? [];
    if (!steps) return;
    delete plot.figure.layout.sliders;
    plot.figure.layout.margin.b = 8;
    const name = (steps.currentvalue?.prefix ?? "").replace(/\s*=\s*$/, "");
    const { label, range, output } = dial(name, steps.steps.length, steps.active ?? 0);
    const say = () => {
      const text = steps.steps[range.value].label;
      output.textContent = text;
      range.setAttribute("aria-valuetext", text);
    };
    range.addEventListener("input", () => {
      say();
      if (drawn.has(plot)) show(plot, steps.steps[range.value]);
    });
    plot.range = range;
    plot.steps = steps.steps;
    plot.opening = range.value; // which the figure shows when it is drawn
    // A film that plays takes the slider along.
    plot.follow = (shot) => {
      const leadsTo = ({ method, args }) => method === "animate" && args[0][0] === shot;
      const k = steps.steps.findIndex(leadsTo);
      if (k < 0) return;
      range.value = k;
      say();
    };
    say();
    plot.canvas.after(label);
  }

  function show(plot, { method, args }) {
    return window.Plotly[method](plot.canvas, ...args);
  }

  // The image of the point under the pointer; a range input chooses it without one.
  function pictures(plot) {
    const album = plot.figure.layout.meta?.album;
    if (!album) return;
    const places = []; // of each image: its trace, its number there, its words
    plot.figure.data.forEach((trace, curve) =>
      trace.customdata?.forEach((image, point) => {
        places[image] = { curve, point, text: trace.text?.[point] ?? `${image + 1}` };
      }),
    );
    const { label, range, output } = dial("image of point", album.count, 0);
    const [width, height] = album.size;
    const [across, down] = album.pitch;
    const scale = PICTURE / Math.max(width, height);
    const view = document.createElement("div");
    view.className = "vaebook-plot-picture";
    view.setAttribute("role", "img");
    Object.assign(view.style, {
      width: `${width * scale}px`,
      height: `${height * scale}px`,
      backgroundImage: `url(${album.source})`,
      backgroundSize: `${across * album.columns * scale}px auto`,
    });
    const turnTo = (image) => {
      const column = image % album.columns;
      const row = Math.floor(image / album.columns);
      view.style.backgroundPosition = `${-column * across * scale}px ${-row * down * scale}px`;
      const words = places[image].text.replace(/<br>/g, ", ").replace(/<[^>]*>/g, "");
      view.setAttribute("aria-label", `Image of the point ${words}`);
      range.setAttribute("aria-valuetext", words);
      range.value = image;
      output.textContent = words;
    };
    // A ring about the point that was chosen without a pointer.
    plot.mark = plot.figure.data.length;
    const { type } = plot.figure.data[0];
    plot.figure.data.push({
      type,
      mode: "markers",
      x: [null],
      y: [null],
      z: [null],
      marker: {
        symbol: "circle-open",
        size: type === "scatter3d" ? 8 : 14,
        color: "#d28015",
        line: { width: 2 },
      },
      hoverinfo: "skip",
      showlegend: false,
    });
    plot.markPoint = () => {
      const { curve, point } = places[range.value];
      const at = plot.canvas._fullData[curve];
      return window.Plotly.restyle(
        plot.canvas,
        { x: [[at.x[point]]], y: [[at.y[point]]], z: [[at.z?.[point]]] },
        [plot.mark],
      );
    };
    range.addEventListener("input", () => {
      turnTo(+range.value);
      if (drawn.has(plot)) plot.markPoint();
    });
    plot.turnTo = ({ points: [point] }) => {
      if (point?.customdata !== undefined) turnTo(point.customdata);
    };
    plot.box.classList.add("vaebook-plot-pictured");
    plot.canvas.after(view, label);
    turnTo(0);
  }

  // A class that the legend hides takes the name that stands in its cloud with it.
  function nameShown(plot) {
    const { data, layout } = plot.canvas;
    const hidden = new Set(data.filter((t) => t.visible === "legendonly").map((t) => t.name));
    if (!layout.annotations) return;
    const annotations = layout.annotations.map((a) => ({ ...a, visible: !hidden.has(a.name) }));
    window.Plotly.relayout(plot.canvas, { annotations });
  }

  // A file for print: dark ink on white paper, whatever the theme, as it is shown at the moment.
  function download(plot, format) {
    const { data, layout, clientWidth: width, clientHeight: height } = plot.canvas;
    const font = { ...layout.font, color: "#222832" };
    const dress = { template: plot.template, paper_bgcolor: "#ffffff", font };
    const printed = { ...layout, ...dress, updatemenus: [] }; // a button on paper does nothing
    const scale = format === "png" ? 3 : 1;
    const options = { format, width, height, scale, filename: "figure" };
    return window.Plotly.downloadImage({ data, layout: printed }, options);
  }

  function buttons(plot) {
    const { camera, disk } = window.Plotly.Icons;
    const button = (format, icon) => {
      const name = `Download as ${format.toUpperCase()}`;
      return { name, title: name, icon, click: () => download(plot, format) };
    };
    return [button("png", camera), button("svg", disk)];
  }

  const usesWebGL = (plot) =>
    plot.figure.data.some((trace) =>
      /gl$|3d$|^(surface|mesh3d|cone|isosurface)$/.test(trace.type),
    );

  async function draw(plot) {
    if (drawn.has(plot) || plot.failed) return;
    drawn.add(plot);
    try {
      const Plotly = await load();
      const width = plot.box.clientWidth;
      plot.width = width;
      plot.narrow = isNarrow(plot);
      const { config } = plot.figure;
      delete plot.figure.layout.width;
      const { data, frames, layout } = arranged(plot, width);
      layout.template = dressed(plot.template);
      layout.height = heightFor(plot, width);
      plot.box.querySelector(".vaebook-plot-fallback")?.remove();
      plot.canvas.style.minHeight = "0"; // what was kept until now
      await Plotly.newPlot(plot.canvas, {
        data,
        layout,
        frames,
        config: {
          ...config,
          responsive: false,
          scrollZoom: false,
          modeBarButtonsToRemove: [...config.modeBarButtonsToRemove, "toImage"],
          modeBarButtonsToAdd: buttons(plot),
        },
      });
      // The description stands for the drawing; plotly's buttons stay reachable beside it.
      for (const layer of plot.canvas.querySelectorAll(".main-svg")) layer.ariaHidden = "true";
      plot.canvas.on("plotly_restyle", () => nameShown(plot));
      plot.canvas.on("plotly_animatingframe", ({ name }) => plot.follow?.(name));
      if (plot.turnTo) {
        plot.canvas.on("plotly_hover", plot.turnTo);
        plot.canvas.on("plotly_click", plot.turnTo);
      }
      await fit(plot);
      await frame(plot);
      await plot.markPoint?.();
      const moved = plot.range && plot.range.value !== plot.opening;
      if (moved) await show(plot, plot.steps[plot.range.value]);
      plot.box.dataset.drawn = "true";
      sizes.observe(plot.box); // which also tells of a change while it was drawn
      plot.box.dispatchEvent(new Event("vaebook-drawn"));
      spare(plot);
    } catch (error) {
      plot.failed = true;
      fail(plot, error.message);
    }
  }

  // Too many live WebGL figures blank the oldest: give back the one farthest from the view.
  function spare(latest) {
    const live = [...drawn].filter((plot) => plot.box.dataset.drawn && usesWebGL(plot));
    if (!usesWebGL(latest) || live.length <= MOST_WEBGL) return;
    const far = (plot) => Math.abs(plot.box.getBoundingClientRect().top - innerHeight / 2);
    const plot = live.sort((a, b) => far(b) - far(a))[0];
    plot.canvas.style.minHeight = `${plot.canvas.clientHeight}px`;
    window.Plotly.purge(plot.canvas);
    delete plot.box.dataset.drawn;
    drawn.delete(plot);
    watcher.unobserve(plot.box);
    watcher.observe(plot.box);
  }

  function resize(plot) {
    const width = plot.box.clientWidth;
    if (!plot.box.dataset.drawn || !width || width === plot.width) return;
    plot.width = width;
    const height = heightFor(plot, width);
    const settle = () => fit(plot).then(() => frame(plot));
    const narrow = isNarrow(plot);
    const { layout: given } = plot.figure;
    const barred = bars(plot.figure.data).length === 1;
    const turned = scenes(given).length || given.meta?.narrow || barred;
    const other = given.meta?.rows || (turned && narrow !== plot.narrow);
    plot.narrow = narrow;
    if (!other) return window.Plotly.relayout(plot.canvas, { width, height }).then(settle);
    const { data, layout } = arranged(plot, width);
    const { template } = plot.canvas.layout;
    const fresh = { ...layout, template, width, height };
    return window.Plotly.react(plot.canvas, data, fresh).then(settle);
  }

  const plots = new Map();
  const watcher = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) if (entry.isIntersecting) draw(plots.get(entry.target));
    },
    { rootMargin: "400px" },
  );
  const sizes = new ResizeObserver((entries) => {
    for (const entry of entries) resize(plots.get(entry.target));
  });

  function prepare(box) {
    const plot = { box, canvas: box.querySelector(".vaebook-plot-canvas") };
    try {
      plot.figure = JSON.parse(box.querySelector('script[type="application/json"]').textContent);
      plot.template = plot.figure.layout.template;
      control(plot);
      pictures(plot);
    } catch {
      return fail(plot, "its data are damaged");
    }
    plots.set(box, plot);
    watcher.observe(box);
    // Somebody wants to see it before it comes into view.
    box.addEventListener("vaebook-draw", () => draw(plot));
  }

  function repaint() {
    for (const plot of plots.values()) {
      if (!plot.box.dataset.drawn) continue;
      window.Plotly.relayout(plot.canvas, { template: dressed(plot.template) });
    }
  }

  function start() {
    document.querySelectorAll(".vaebook-plot").forEach(prepare);
    new MutationObserver(repaint).observe(root, { attributeFilter: ["data-theme"] });
    // The style shows the buttons of the figure that was touched last.
    const touch = ({ target }) => {
      for (const { canvas } of plots.values()) {
        canvas.classList.toggle("vaebook-plot-touched", canvas.contains(target));
      }
    };
    addEventListener("touchstart", touch, { capture: true, passive: true });
    addEventListener("beforeprint", () => {
      if (window.Plotly) plots.forEach(draw);
    });
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
