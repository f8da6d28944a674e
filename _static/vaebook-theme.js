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

  // A line may break behind a formula; what ends the clause stays with it.
  function bindFormulas() {
    for (const formula of document.querySelectorAll(".bd-article span.math")) {
      const after = formula.nextSibling;
      const [stop] = /^[.,;:!?)”’-]+/.exec(after?.data) ?? [];
      if (!stop) continue;
      const bound = document.createElement("span");
      bound.style.whiteSpace = "nowrap";
      after.data = after.data.slice(stop.length);
      formula.replaceWith(bound);
      bound.append(formula, stop);
    }
  }

  // A long formula within a line may break behind its relations and its signs, as TeX would do
  // it, and within brackets where it is very long. Each part is a row of its own. A sign, a bar or
  // an integral that follows a relation belongs to what comes next.
  function breakFormulas() {
    const count = (part, marks) => part.querySelectorAll(marks).length;
    const parts = (row, level) => {
      const rows = [document.createElement("mjx-mrow")];
      let depth = 0;
      for (const part of [...row.children]) {
        rows.at(-1).append(part);
        depth += count(part, ".mjx-c28, .mjx-c5B, .mjx-c7B");
        depth -= count(part, ".mjx-c29, .mjx-c5D, .mjx-c7D");
        const sign = part.localName === "mjx-mo" && part.getAttribute("space") >= 3;
        if (sign && depth <= level && rows.at(-1).children.length > 1) {
          rows.push(document.createElement("mjx-mrow"));
        }
      }
      return rows;
    };
    const ems = (row) => row.offsetWidth / parseFloat(getComputedStyle(row).fontSize);
    const formulas = ".bd-article mjx-container:not([display=true]) > mjx-math";
    const long = [...document.querySelectorAll(formulas)].filter((math) => ems(math) > 10);
    for (const math of long) {
      math.closest("span.math")?.classList.add("vaebook-breaks");
      math.replaceChildren(...parts(math, 0));
    }
    const wide = long.flatMap((math) => [...math.children]).filter((row) => ems(row) > 14);
    for (const row of wide) row.replaceWith(...parts(row, 1));
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
    watchWidths("mjx-container[display=true]");
  });
})();
