// The self-checks at the end of a chapter. Each answer is a fold, which works without this script;
// here answers get their marks, and numbers a field to type them in.
(() => {
  "use strict";
  const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

  const reason = (fold) => fold.querySelector(".sd-summary-content");
  const printed = (fold) => plain(fold.querySelector("summary").textContent);
  const mark = (fold) =>
    reason(fold).textContent.trim().startsWith("Right") ? "check-right" : "check-wrong";

  function plain(text) {
    return text.trim().replace(/\u2212/g, "-");
  }

  // What a reader typed, a fraction or a number, which may be 6,144 or 12 %; NaN for anything else.
  function value(text, inPerCent) {
    const [, digits, sign] = plain(text).match(/^(.*?)\s*(%?)$/);
    const grouped = /^[+-]?[1-9]\d{0,2}([ ,]\d{3})+(?![\d,])/;
    const parts = digits
      .split(/\s*\/\s*/)
      .map((part) => part.replace(grouped, (found) => found.replace(/[ ,]/g, "")));
    if (parts.length > 2 || !parts.every((part) => NUMBER.test(part))) return NaN;
    const number = (parts[0] / (parts[1] ?? 1)) * (sign && !inPerCent ? 0.01 : 1);
    return Number.isFinite(number) ? number : NaN;
  }

  // The answer that the number would be, rounded to as many decimals as are printed.
  function meant(folds, number) {
    const off = (fold) => Math.abs(number - Number(printed(fold)));
    const decimals = (fold) => (printed(fold).split(".")[1] ?? "").length;
    const near = folds.filter((fold) => off(fold) <= 0.5000001 * 10 ** -decimals(fold));
    return near.sort((a, b) => off(a) - off(b))[0];
  }

  function field(box, folds) {
    const form = document.createElement("form");
    form.innerHTML = `<label>Your answer <input inputmode="decimal" autocomplete="off"></label>
      <button>Check</button> <button type="button" aria-expanded="false">Answers</button>
      <div role="status"></div>`;
    const [input, answers, status] = ["input", "[type=button]", "[role]"].map((name) =>
      form.querySelector(name),
    );
    const question = [...box.querySelectorAll(":scope > p")].map((part) => part.textContent);
    const inPerCent = /per cent|%/.test(question.join(" "));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const number = value(input.value, inPerCent);
      const fold = meant(folds, number);
      const unread = Number.isNaN(number);
      status.className = fold ? mark(fold) : unread ? "" : "check-wrong";
      if (fold) status.replaceChildren(...reason(fold).cloneNode(true).childNodes);
      else if (unread) status.textContent = "Type a number such as 0.25, -3 or 1/4, with a point.";
      else status.textContent = "Not this number. Try again, or look at the answers.";
    });
    answers.addEventListener("click", () => {
      answers.ariaExpanded = String(box.classList.toggle("check-open"));
    });
    folds[0].before(form);
  }

  function start() {
    for (const box of document.querySelectorAll(".check.admonition")) {
      const folds = [...box.querySelectorAll("details")];
      box.role = "group";
      box.ariaLabel = box.querySelector(".admonition-title").textContent;
      for (const fold of folds) fold.classList.add(mark(fold));
      if (box.classList.contains("numeric")) field(box, folds);
    }
  }
  document.addEventListener("DOMContentLoaded", start);
})();
