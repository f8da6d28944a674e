// Where lines may break: what is read as one word stays whole, formulas break as TeX would do it.
(() => {
  "use strict";
  // Formulas are set after the first paint: what holds one appears with it, or the words around it
  // would jump. Where MathJax doesn't come, the page stands as it is after three seconds.
  const root = document.documentElement;
  root.classList.add("vaebook-unset");
  const show = () => root.classList.remove("vaebook-unset");
  setTimeout(show, 3000);

  function keepTogether(...words) {
    const bound = document.createElement("span");
    bound.className = "vaebook-whole";
    words[0].replaceWith(bound);
    bound.append(...words);
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

  // What is read as one word stays on one line: a name with a hyphen, a number with its range, its
  // other factor or what it is a part of, a result with its number, two names with an arrow between.
  // In a table only what is short does, since columns may be narrower than the rest.
  const NUMBER = String.raw`[\u2212+±]?\d[\d.,]*\d|[\u2212+±]?\d`;
  const RANGE = String.raw`(?:${NUMBER}) to (?:${NUMBER})`;
  const WHOLE = new RegExp(
    [
      String.raw`(?:${NUMBER}) \(${RANGE}\)`,
      RANGE,
      String.raw`(?:${NUMBER}) [+×±] (?:${NUMBER})`,
      String.raw`(?<![\d.,])\d+(?:,\d{3})* of \d+(?:,\d{3})*(?![.,]?\d)`,
      String.raw`et al\.`,
      String.raw`\d+–\d+`,
      String.raw`N\(0, I\)`,
      String.raw`\[[\w.…\u2212 -]+(?:, [\w.…\u2212 -]+)+\]`,
      String.raw`[[(][\u2212-]?[\d.]+, [\u2212-]?[\d.]+[\])]`,
      String.raw`(?:${NUMBER}|[\p{L}\d-]+) → (?:${NUMBER}|[\p{L}\d-]+)`,
      String.raw`(?<![\p{L}\d)-])-\p{L}+`,
      String.raw`(?<![\p{L}\d/-])(?:\p{L}-[\p{L}\d]+|[\p{L}\d]+-[\p{Lu}\d][\p{L}\d-]*)`,
      String.raw`(?:Fig\.|Theorem|Lemma|Proposition|Corollary|Definition|Algorithm|Exercise) \d+`,
    ].join("|"),
    "gu",
  );
  const OTHER = "pre, code, script, style, svg, .math, .citation, .vaebook-plot, .vaebook-whole";
  function bindWords() {
    for (const low of document.querySelectorAll(".bd-article .pasted-text")) {
      const [to, high] = [low.nextSibling, low.nextElementSibling];
      if (!/^ (to|±|of) $/.test(to?.data) || !high?.matches(".pasted-text")) continue;
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
          if (found[0].length > (text.parentElement.closest("td, th") ? 8 : 24)) continue;
          const whole = text.splitText(found.index);
          whole.splitText(found[0].length);
          keepTogether(whole);
        }
      }
    }
  }

  // A formula may break behind its relations and its signs, as TeX would do it, and within brackets
  // where it is very long, but not within a norm nor at a dot. Each part is a row of its own. A
  // sign, a bar or an integral that follows a relation belongs to what comes next, and the room
  // between the two to what comes before.
  const ROOMS = { 1: 0.111, 2: 0.167, 3: 0.222, 4: 0.278, 5: 0.333 };
  const count = (part, marks) => part.querySelectorAll(marks).length;
  function parts(row, level, sentences = false) {
    const rows = [document.createElement("mjx-mrow")];
    let [depth, norm] = [0, Infinity]; // how many brackets are open, and were where a norm began
    for (const part of [...row.children]) {
      const space = part.getAttribute("space");
      if (rows.length > 1 && !rows.at(-1).hasChildNodes() && space) {
        part.removeAttribute("space");
        rows.at(-2).style.paddingInlineEnd = `${ROOMS[space]}em`;
      }
      rows.at(-1).append(part);
      const opened = count(part, ".mjx-c28, .mjx-c5B, .mjx-c7B");
      depth += opened;
      depth -= count(part, ".mjx-c29, .mjx-c5D, .mjx-c7D");
      // A bar between brackets of its own, as in a term over a brace, is not that of a norm.
      const bars = opened && part.localName !== "mjx-mo" ? 0 : count(part, ".mjx-c2225, .mjx-c7C");
      if (bars % 2) norm = depth < norm ? depth : Infinity;
      if (depth < norm) norm = Infinity;
      const sign = part.matches("mjx-mo:not(:has(.mjx-c22C5))") && space >= 3;
      const quad = parseFloat(part.querySelector(":scope > mjx-mspace")?.style.width) >= 1;
      const free = depth <= level && norm === Infinity && rows.at(-1).children.length > 1;
      if (free && (quad || (sign && !sentences))) rows.push(document.createElement("mjx-mrow"));
    }
    if (!rows.at(-1).hasChildNodes()) rows.pop();
    rows.at(-1).style.paddingInlineEnd = row.style.paddingInlineEnd;
    return rows;
  }
  function split(formulas, level, wide) {
    const rows = formulas.flatMap((math) => [...math.children]).filter(wide);
    for (const row of rows) row.replaceWith(...parts(row, level));
  }

  const ems = (row) => row.offsetWidth / parseFloat(getComputedStyle(row).fontSize);
  function breakFormulas() {
    const formulas =
      ".bd-article :not(.vaebook-breaks) > mjx-container:not([display=true]) > mjx-math";
    const long = [...document.querySelectorAll(formulas)].filter((math) => ems(math) > 10);
    for (const math of long) {
      math.closest("span.math")?.classList.add("vaebook-breaks");
      math.replaceChildren(...parts(math, 0));
    }
    split(long, 1, (row) => ems(row) > 14);
    // Behind the last part no line breaks but at a space: a full stop stays with it.
    for (const { lastElementChild: last } of long) {
      const bound = document.createElement("span");
      bound.style.whiteSpace = "nowrap";
      last.replaceWith(bound);
      bound.append(last);
    }
  }

  // So does one on lines of its own that is wider than the page; what cannot break is set smaller.
  // Each is looked at as it was set, since the page may be wider than when it was broken.
  const whole = new WeakMap();
  function fitFormulas() {
    const wider = (box) => box.scrollWidth - box.clientWidth > 1;
    const formulas = [...document.querySelectorAll(".bd-article mjx-container[display=true]")];
    for (const box of formulas) {
      const math = box.querySelector("mjx-math");
      math.style.fontSize = "";
      if (!box.matches(".vaebook-breaks")) continue;
      box.classList.remove("vaebook-breaks");
      math.replaceChildren(...whole.get(box).childNodes);
    }
    for (const box of formulas.filter(wider)) {
      const math = box.querySelector("mjx-math");
      if (!math.querySelector("mjx-mtable")) {
        whole.set(box, math.cloneNode(true));
        box.classList.add("vaebook-breaks");
        math.replaceChildren(...parts(math, 0, true));
        const room = box.clientWidth;
        for (const level of [0, 1]) split([math], level, (row) => row.offsetWidth > room);
      }
      const share = box.clientWidth / box.scrollWidth;
      if (wider(box)) math.style.fontSize = `${Math.max(70, Math.floor(98 * share))}%`;
    }
  }

  function settle() {
    breakFormulas();
    fitFormulas();
  }

  // A name may break behind its dots, slashes and underscores where there is little room for it.
  function breakNames() {
    const close = "h1, h2, .pst-scrollable-table-container code .pre, dl.py dd a code .pre";
    for (const name of document.querySelectorAll(`.bd-article :is(${close}), .prev-next-title`)) {
      for (const text of [...name.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE)) {
        const pieces = text.data.split(/(?<=\w[./_])(?=\w{4}|\w+[./_])/);
        const breaks = pieces.map((_, i) => (i ? document.createElement("wbr") : ""));
        text.replaceWith(...pieces.flatMap((piece, i) => [breaks[i], piece]));
      }
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    breakNames();
    bindFormulas();
    bindWords();
  });
  addEventListener("load", async () => {
    await window.MathJax?.startup?.promise;
    settle();
    show();
    // What is folded away has no width before it is opened.
    document.addEventListener("toggle", settle, true);
    document.addEventListener("click", (event) => {
      if (event.target.closest(".toggle-button")) settle();
    });
    // A phone that is turned has another width; one that only hides its bar has not.
    let width = innerWidth;
    addEventListener("resize", () => {
      if (innerWidth === width) return;
      width = innerWidth;
      settle();
    });
  });
})();
