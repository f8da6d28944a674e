/* global Search */
// Excerpts on the page of a search: from the text itself, in whole words, without TeX or the code
// that is folded away.
document.addEventListener("DOMContentLoaded", () => {
  "use strict";
  if (typeof Search === "undefined") return;

  Search.htmlToText = (markup, anchor) => {
    const page = new DOMParser().parseFromString(markup, "text/html");
    const article = page.querySelector("article.bd-article");
    if (!article) return "";
    const part = (anchor && article.querySelector(anchor)) || article;
    const folded = "details:has(> .cell_input)";
    const extras = part.querySelectorAll(`.headerlink, .vaebook-report, script, style, ${folded}`);
    for (const extra of extras) extra.remove();
    for (const formula of part.querySelectorAll(".math")) formula.replaceWith("…");
    for (const term of part.querySelectorAll("dt")) {
      term.append(/:\s*$/.test(term.textContent) ? " " : ": ");
    }
    for (const item of part.querySelectorAll("dd, li, td, th")) item.append(" ");
    return part.textContent.replace(/\s+/g, " ");
  };

  const summarise = Search.makeSearchSummary;
  Search.makeSearchSummary = (...given) => {
    const summary = summarise(...given);
    if (summary) {
      const whole = summary.textContent.replace(/^\.{3}\S*/, "…").replace(/\S*\.{3}$/, "…");
      summary.textContent = whole;
    }
    return summary;
  };
});
