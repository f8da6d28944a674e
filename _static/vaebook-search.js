/* global Search */
// Excerpts on the page of a search: from the text itself, in whole words and without TeX.
document.addEventListener("DOMContentLoaded", () => {
  "use strict";
  if (typeof Search === "undefined") return;

  Search.htmlToText = (markup, anchor) => {
    const page = new DOMParser().parseFromString(markup, "text/html");
    const article = page.querySelector("article.bd-article");
    if (!article) return "";
    const part = (anchor && article.querySelector(anchor)) || article;
    const extras = part.querySelectorAll(".headerlink, .vaebook-report, script, style");
    for (const extra of extras) extra.remove();
    for (const formula of part.querySelectorAll(".math")) formula.replaceWith("…");
    for (const term of part.querySelectorAll("dt")) term.append(": ");
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
