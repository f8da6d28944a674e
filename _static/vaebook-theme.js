// What the theme and its extensions leave wrong for keyboards and screen readers.
(() => {
  "use strict";
  // Formulas are set after the first paint: what holds one appears with it, or the words around it
  // would jump. Where MathJax doesn't come, the page stands as it is after three seconds.
  const root = document.documentElement;
  root.classList.add("vaebook-unset");
  const show = () => root.classList.remove("vaebook-unset");
  setTimeout(show, 3000);

  // Bibliographies use roles that are out of date and don't fit together.
  function mendCitations() {
    for (const list of document.querySelectorAll(".citation-list")) {
      list.removeAttribute("role");
      for (const entry of list.querySelectorAll("[role^=doc-]")) entry.removeAttribute("role");
    }
  }

  // Parameters are a list of descriptions without terms; a fold in the contents has no name.
  function mendReference() {
    for (const list of document.querySelectorAll("dt.sig dl")) list.role = "none";
    for (const fold of document.querySelectorAll(".bd-sidebar-primary summary")) {
      const page = fold.closest("li").querySelector("a");
      fold.ariaLabel = `Pages under ${page.textContent.trim()}`;
    }
  }

  // A formula, listing or table that scrolls sideways has to be reachable by keyboard.
  const reach = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (target.scrollWidth > target.clientWidth + 1) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  function watchWidths(selector) {
    for (const element of document.querySelectorAll(selector)) reach.observe(element);
  }

  // A line may break beside a formula; what opens or ends the clause stays with it.
  function bindFormulas() {
    for (const formula of document.querySelectorAll(".bd-article span.math")) {
      const { previousSibling: before, nextSibling: after } = formula;
      const [open] = /[(“‘]+$/.exec(before?.data) ?? [""];
      const [stop] = /^[.,;:!?)”’-]+/.exec(after?.data) ?? [""];
      if (!open && !stop) continue;
      const bound = document.createElement("span");
      bound.style.whiteSpace = "nowrap";
      if (open) before.data = before.data.slice(0, -open.length);
      if (stop) after.data = after.data.slice(stop.length);
      formula.replaceWith(bound);
      bound.append(open, formula, stop);
    }
  }

  // A formula may break behind its relations and its signs, as TeX would do it, and within brackets
  // where it is very long. Each part is a row of its own. A sign, a bar or an integral that follows
  // a relation belongs to what comes next, and the room between the two to what comes before.
  const ROOMS = { 1: 0.111, 2: 0.167, 3: 0.222, 4: 0.278, 5: 0.333 };
  const count = (part, marks) => part.querySelectorAll(marks).length;
  const depths = (row) => {
    let depth = 0;
    return [...row.children].map((part) => {
      depth += count(part, ".mjx-c28, .mjx-c5B, .mjx-c7B");
      depth -= count(part, ".mjx-c29, .mjx-c5D, .mjx-c7D");
      return depth;
    });
  };
  function parts(row, level, sentences = false) {
    const rows = [document.createElement("mjx-mrow")];
    const deep = depths(row);
    const bars = [...row.children].map((part, i) => (deep[i] ? 0 : count(part, ".mjx-c2225")));
    // The bars of a norm come in pairs, unlike the one of a divergence.
    const paired = bars.reduce((sum, bar) => sum + bar, 0) % 2 === 0;
    let open = false;
    for (const [i, part] of [...row.children].entries()) {
      const space = part.getAttribute("space");
      if (rows.length > 1 && !rows.at(-1).hasChildNodes() && space) {
        part.removeAttribute("space");
        rows.at(-2).style.paddingInlineEnd = `${ROOMS[space]}em`;
      }
      rows.at(-1).append(part);
      if (paired && bars[i] % 2) open = !open;
      const sign = part.localName === "mjx-mo" && space >= 3;
      const quad = parseFloat(part.querySelector(":scope > mjx-mspace")?.style.width) >= 1;
      const within = deep[i] + (open ? 1 : 0);
      if ((quad || (sign && !sentences)) && within <= level && rows.at(-1).children.length > 1) {
        rows.push(document.createElement("mjx-mrow"));
      }
    }
    if (!rows.at(-1).hasChildNodes()) rows.pop();
    rows.at(-1).style.paddingInlineEnd = row.style.paddingInlineEnd;
    return rows;
  }
  const ems = (row) => row.offsetWidth / parseFloat(getComputedStyle(row).fontSize);
  function breakFormulas() {
    const formulas = ".bd-article mjx-container:not([display=true]) > mjx-math";
    const long = [...document.querySelectorAll(formulas)].filter((math) => ems(math) > 10);
    for (const math of long) {
      math.closest("span.math")?.classList.add("vaebook-breaks");
      math.replaceChildren(...parts(math, 0));
    }
    const wide = long.flatMap((math) => [...math.children]).filter((row) => ems(row) > 14);
    for (const row of wide) row.replaceWith(...parts(row, 1));
    // Behind the last part no line breaks but at a space: a full stop stays with it.
    for (const { lastElementChild: last } of long) {
      const bound = document.createElement("span");
      bound.style.whiteSpace = "nowrap";
      last.replaceWith(bound);
      bound.append(last);
    }
  }

  // So does one on lines of its own that is wider than the page; what cannot break is set smaller.
  function fitFormulas() {
    const wider = (box) => box.scrollWidth - box.clientWidth > 1;
    const formulas = [...document.querySelectorAll(".bd-article mjx-container[display=true]")];
    for (const box of formulas.filter(wider)) {
      const math = box.querySelector("mjx-math");
      if (!math.querySelector("mjx-mtable")) {
        box.classList.add("vaebook-breaks");
        math.replaceChildren(...parts(math, 0, true));
        const room = box.clientWidth;
        for (const level of [0, 1]) {
          const wide = [...math.children].filter((row) => row.offsetWidth > room);
          for (const row of wide) row.replaceWith(...parts(row, level));
        }
      }
      const share = box.clientWidth / box.scrollWidth;
      if (wider(box)) math.style.fontSize = `${Math.max(70, Math.floor(98 * share))}%`;
    }
  }

  // A name may break behind its dots, slashes and underscores where there is little room for it.
  function breakNames() {
    const close = "h1, h2, .pst-scrollable-table-container code .pre, dl.py dd a code .pre";
    for (const name of document.querySelectorAll(`.bd-article :is(${close})`)) {
      for (const text of [...name.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE)) {
        const pieces = text.data.split(/(?<=\w[./_])(?=\w{4}|\w+[./_])/);
        const breaks = pieces.map((_, i) => (i ? document.createElement("wbr") : ""));
        text.replaceWith(...pieces.flatMap((piece, i) => [breaks[i], piece]));
      }
    }
  }

  // On a phone each row of a table with many columns and sentences in them is a block.
  function stackTables() {
    for (const frame of document.querySelectorAll(".pst-scrollable-table-container")) {
      const headings = [...frame.querySelectorAll("thead th")].map((cell) => cell.textContent);
      const cells = [...frame.querySelectorAll("td")];
      if (headings.length < 6 || !cells.some((cell) => cell.textContent.length > 40)) continue;
      frame.classList.add("vaebook-table-wide");
      for (const row of frame.querySelectorAll("tbody tr")) {
        [...row.cells].forEach((cell, i) => (cell.dataset.heading = headings[i]));
      }
    }
  }

  // What needs a kernel starts the notebook of its page, where the page's own button does.
  function leadToNotebook() {
    const button = document.querySelector('a[href^="https://mybinder.org/"]');
    for (const link of document.querySelectorAll(button ? "a.vaebook-launch" : "none")) {
      link.href = button.href;
      link.hidden = false;
    }
  }

  // A page without contents of its own, as the index, has nothing to follow while it scrolls;
  // Bootstrap would look for the targets of all its links.
  function followContents() {
    if (!document.querySelector(".bd-toc-nav")) document.body.removeAttribute("data-bs-spy");
  }

  function start() {
    followContents();
    leadToNotebook();
    mendCitations();
    mendReference();
    breakNames();
    stackTables();
    bindFormulas();
    watchWidths(
      ".bd-article :is(div.highlight pre, .pst-scrollable-table-container, .vaebook-table)",
    );
  }
  document.addEventListener("DOMContentLoaded", start);
  addEventListener("load", async () => {
    await window.MathJax?.startup?.promise;
    breakFormulas();
    show();
    fitFormulas();
    watchWidths("mjx-container[display=true]");
  });
})();
