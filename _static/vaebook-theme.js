// What the theme and its extensions leave wrong for keyboards and screen readers.
(() => {
  "use strict";
  // Bibliographies use roles that are out of date and don't fit together; parameters are a list of
  // descriptions without terms; a fold in the contents has no name.
  function mendRoles() {
    const citations = ".citation-list, .citation-list [role^=doc-]";
    for (const part of document.querySelectorAll(citations)) part.removeAttribute("role");
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

  // On a phone each row of a table with many columns and sentences in them is a block, and so is
  // one of three columns with a paragraph in them.
  function stackTables() {
    for (const frame of document.querySelectorAll(".pst-scrollable-table-container")) {
      const headings = [...frame.querySelectorAll("thead th")].map((cell) => cell.textContent);
      const cells = [...frame.querySelectorAll("td")];
      const enough = headings.length < 6 ? 300 : 40;
      if (headings.length < 3 || !cells.some((cell) => cell.textContent.length > enough)) continue;
      frame.classList.add("vaebook-table-wide");
      for (const row of frame.querySelectorAll("tbody tr")) {
        [...row.cells].forEach((cell, i) => (cell.dataset.heading = headings[i]));
      }
    }
  }

  // What needs a kernel starts the notebook of its page, where the page's own button does.
  function leadToNotebook() {
    const button = document.querySelector('a[href^="https://mybinder.org/"]');
    if (!button) return;
    for (const link of document.querySelectorAll("a.vaebook-launch")) {
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
    mendRoles();
    stackTables();
    watchWidths(
      ".bd-article :is(div.highlight pre, .pst-scrollable-table-container, .vaebook-table)",
    );
  }
  // Tables have their shape before they are seen, while the page still comes in.
  const parts = new MutationObserver(stackTables);
  parts.observe(document, { childList: true, subtree: true });
  document.addEventListener("DOMContentLoaded", () => {
    parts.disconnect();
    start();
  });
  addEventListener("load", async () => {
    await window.MathJax?.startup?.promise;
    watchWidths("mjx-container[display=true]");
  });
})();
