// What a reference refers to, shown beside it while the pointer or the focus is on it. What stands
// on another page comes in a template, since a page from a file can't fetch another one.
(() => {
  "use strict";
  const LINKS = ".bd-article a.internal[href*='#']";
  const KINDS = ".proof, .exercise, .citation, div.math, figure, dt";
  const EXTRAS = ".headerlink, .backrefs, .copybtn, .toggle-button, button, script, style";
  const WAIT = 250; // ms, so that a pointer which passes by opens nothing
  const LONGEST = 5000; // ms for a figure to be drawn
  const GAP = 6; // CSS pixels between a link and its preview

  const tip = document.createElement("div");
  tip.id = "vaebook-preview";
  tip.className = "vaebook-preview";
  tip.role = "tooltip";
  tip.hidden = true;
  let link = null;
  let timer = 0;

  function target(at) {
    const found = document.getElementById(decodeURIComponent(at.hash.slice(1)));
    return found?.matches(KINDS) ? found : null;
  }

  // A copy to look at, without frame: nothing in it can be reached, no name stands twice.
  function copy(nodes) {
    const box = document.createElement("div");
    box.append(...nodes.map((node) => node.cloneNode(true)));
    for (const extra of box.querySelectorAll(EXTRAS)) extra.remove();
    for (const framed of box.querySelectorAll(".admonition")) framed.className = "";
    for (const inner of box.querySelectorAll("a")) inner.replaceWith(...inner.childNodes);
    for (const named of box.querySelectorAll("[id]")) named.removeAttribute("id");
    for (const reached of box.querySelectorAll("[tabindex]")) reached.removeAttribute("tabindex");
    return box;
  }

  // A figure as it looks at the moment, drawn for this if it was never in view.
  async function still(figure) {
    const picture = new Image();
    const box = figure.querySelector(".vaebook-plot");
    const drawing = figure.querySelector("canvas, img");
    if (box) {
      const plot = box.querySelector(".vaebook-plot-canvas");
      if (!plot) return null;
      if (!box.dataset.drawn) {
        const drawn = new Promise((done) => {
          box.addEventListener("vaebook-drawn", done, { once: true });
          setTimeout(done, LONGEST);
        });
        box.dispatchEvent(new Event("vaebook-draw"));
        await drawn;
      }
      if (!box.dataset.drawn) return null;
      const { clientWidth: width, clientHeight: height } = plot;
      picture.src = await window.Plotly.toImage(plot, { format: "png", width, height, scale: 1 });
      picture.alt = plot.ariaLabel ?? "";
    } else if (drawing) {
      picture.src = drawing.src ?? drawing.toDataURL();
      picture.alt = drawing.alt ?? figure.querySelector("[aria-label]")?.ariaLabel ?? "";
    } else return null;
    await picture.decode();
    return picture;
  }

  async function content(at) {
    const href = at.getAttribute("href");
    const template = document.querySelector(`template[data-preview="${CSS.escape(href)}"]`);
    if (template) return copy([...template.content.children]);
    if (!href.startsWith("#")) return null;
    const found = target(at);
    if (!found) return null;
    if (found.matches("dt")) return copy([found, found.nextElementSibling]);
    if (!found.matches("figure")) return copy([found]);
    const box = copy([found.querySelector("figcaption")]);
    const picture = await still(found);
    if (picture) box.prepend(picture);
    return box;
  }

  // What is too wide becomes smaller: nothing can be scrolled without a focus.
  function shrink() {
    for (const formula of tip.querySelectorAll("mjx-container")) {
      const room = formula.parentElement.clientWidth;
      const size = parseFloat(getComputedStyle(formula).fontSize);
      if (formula.scrollWidth > room && room > 0) {
        formula.style.fontSize = `${(size * room) / formula.scrollWidth}px`;
      }
    }
  }

  // Under the link, or above it where there is no room.
  function place() {
    shrink();
    const [at] = link.getClientRects();
    const { offsetWidth: width, offsetHeight: height } = tip;
    const most = document.documentElement.clientWidth - width - 8;
    const under = at.bottom + GAP + height <= innerHeight || at.top < GAP + height;
    tip.style.left = `${scrollX + Math.max(8, Math.min(at.left, most))}px`;
    tip.style.top = `${scrollY + (under ? at.bottom + GAP : at.top - GAP - height)}px`;
  }

  async function show(at) {
    if (link === at) return;
    hide();
    link = at;
    const box = await content(at);
    if (link !== at) return; // it was left in the meantime
    if (!box) {
      link = null;
      return;
    }
    at.removeAttribute("title"); // which the browser would show as well
    tip.replaceChildren(...box.childNodes);
    tip.hidden = false;
    at.setAttribute("aria-describedby", tip.id);
    place();
    if (tip.querySelector(".math:not(:has(mjx-container))")) {
      await window.MathJax?.typesetPromise?.([tip]);
      if (link === at) place();
    }
  }

  function hide() {
    clearTimeout(timer);
    if (!link) return;
    link.removeAttribute("aria-describedby");
    link = null;
    tip.hidden = true;
    window.MathJax?.typesetClear?.([tip]);
    tip.replaceChildren();
  }

  function later(act) {
    clearTimeout(timer);
    timer = setTimeout(act, WAIT);
  }

  function start() {
    document.body.append(tip);
    // A finger follows the link; it can't point at it.
    document.addEventListener("pointerover", ({ target: over, pointerType }) => {
      if (pointerType === "touch") return;
      const at = over.closest(LINKS);
      if (at) later(() => show(at));
      else if (over.closest(".vaebook-preview")) clearTimeout(timer);
      else later(hide);
    });
    document.addEventListener("focusin", ({ target: focused }) => {
      if (focused.matches(LINKS) && focused.matches(":focus-visible")) show(focused);
    });
    document.addEventListener("focusout", hide);
    document.addEventListener("click", hide);
    document.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") hide();
    });
  }
  document.addEventListener("DOMContentLoaded", start);
})();
