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

  function keepTogether(...parts) {
    const bound = document.createElement("span");
    bound.className = "vaebook-whole";
    parts[0].replaceWith(bound);
    bound.append(...parts);
  }

  // A line may break behind a formula; the quotation mark before it, what ends the clause and the
  // number on the other side of its equals sign stay with it. It may be typeset by now.
  function bindFormulas() {
    for (const formula of document.querySelectorAll(".bd-article span.math")) {
      const [before, after] = [formula.previousSibling, formula.nextSibling];
      const [open] = /[“‘([-]+$/.exec(before?.data) ?? [""];
      const [stop] = /^[.,;:!?)”’-]+/.exec(after?.data) ?? [""];
      const number = formula.nextElementSibling;
      const half =
        /[=<>\u2248]\s*(?:\\\))?$/.test(formula.textContent) && /^\s*$/.test(after?.data);
      if (half && number?.matches(".pasted-text") && number.textContent.length < 12) {
        keepTogether(formula, after, number);
      } else if (open || stop) {
        if (open) before.data = before.data.slice(0, -open.length);
        if (stop) after.data = after.data.slice(stop.length);
        keepTogether(formula, stop);
        formula.before(open);
      }
    }
  }

  // What is read as one word stays on one line: a name with a hyphen, a number with its range or
  // its other factor, a result with its number, two names with an arrow between them.
  const NUMBER = String.raw`[\u2212+±]?\d[\d.,]*\d|[\u2212+±]?\d`;
  const RANGE = String.raw`(?:${NUMBER}) to (?:${NUMBER})`;
  const WHOLE = new RegExp(
    [
      String.raw`(?:${NUMBER}) \(${RANGE}\)`,
      RANGE,
      String.raw`(?:${NUMBER}) [+×±] (?:${NUMBER})`,
      String.raw`\d+–\d+`,
      String.raw`N\(0, I\)`,
      String.raw`[\p{L}\d-]+ → [\p{L}\d-]+`,
      String.raw`(?<![\p{L}\d/-])(?:\p{L}-[\p{L}\d]+|[\p{L}\d]+-[\p{Lu}\d][\p{L}\d-]*)`,
      String.raw`(?:Fig\.|Theorem|Lemma|Proposition|Corollary|Definition|Algorithm|Exercise) \d+`,
    ].join("|"),
    "gu",
  );
  const OTHER = "pre, code, script, style, svg, .math, .citation, .vaebook-plot, .vaebook-whole";
  function bindWords() {
    for (const low of document.querySelectorAll(".bd-article .pasted-text")) {
      const [to, high] = [low.nextSibling, low.nextElementSibling];
      if (!/^ (to|±) $/.test(to?.data) || !high?.matches(".pasted-text")) continue;
      if (low.textContent.length + high.textContent.length < 20) keepTogether(low, to, high);
    }
    for (const part of document.querySelectorAll(".bd-article, .prev-next-area")) {
      const walker = document.createTreeWalker(
        part,
        NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT,
        {
          acceptNode: (node) =>
            node.matches?.(`${OTHER}, :not(:defined)`)
              ? NodeFilter.FILTER_REJECT
              : NodeFilter.FILTER_ACCEPT,
        },
      );
      const texts = [];
      while (walker.nextNode()) if (walker.currentNode.data) texts.push(walker.currentNode);
      for (const text of texts) {
        for (const found of [...text.data.matchAll(WHOLE)].reverse()) {
          if (found[0].length > 24) continue;
          const whole = text.splitText(found.index);
          whole.splitText(found[0].length);
          keepTogether(whole);
        }
      }
    }
  }

  // The link to an exercise begins with its name, not with the space before.
  function mendSolutions() {
    for (const link of document.querySelectorAll(".solution > .admonition-title > a")) {
      const name = link.firstChild;
      if (!name?.data?.startsWith(" ")) continue;
      name.data = name.data.slice(1);
      link.before(" ");
    }
  }

  // A long formula within a line may break behind its relations and its signs, as TeX would do
  // it, and within brackets where it is very long, but not within a norm. Each part is a row of its
  // own. A sign, a bar or an integral that follows a relation belongs to what comes next.
  function breakFormulas() {
    const count = (part, marks) => part.querySelectorAll(marks).length;
    const parts = (row, level) => {
      const rows = [document.createElement("mjx-mrow")];
      let [depth, norm] = [0, Infinity]; // how many brackets are open, and were where a norm began
      for (const part of [...row.children]) {
        rows.at(-1).append(part);
        depth += count(part, ".mjx-c28, .mjx-c5B, .mjx-c7B");
        depth -= count(part, ".mjx-c29, .mjx-c5D, .mjx-c7D");
        if (count(part, ".mjx-c2225, .mjx-c7C") % 2) norm = depth < norm ? depth : Infinity;
        if (depth < norm) norm = Infinity;
        const sign = part.localName === "mjx-mo" && part.getAttribute("space") >= 3;
        if (sign && depth <= level && norm === Infinity && rows.at(-1).children.length > 1) {
          rows.push(document.createElement("mjx-mrow"));
        }
      }
      return rows.filter((part) => part.firstChild);
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
    bindWords();
    mendSolutions();
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
