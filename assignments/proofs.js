// Marking written answers: what is typed stays in this browser until it is in a file.
"use strict";
(() => {
  const { assignment } = document.body.dataset;
  const key = `written answers: ${assignment} ${location.pathname}`;
  const sections = [...document.querySelectorAll("section[data-student]")];
  const choice = document.getElementById("student");
  const said = document.getElementById("said");
  const shown = new Set();
  let unsaved = false;

  function load(source) {
    const script = document.createElement("script");
    script.src = source;
    document.head.append(script);
    return new Promise((resolve) => script.addEventListener("load", resolve));
  }

  // All tables in which MathJax looks names up, and to which definitions are added.
  function* tables() {
    const { handlers } = window.MathJax.startup.document.inputJax[0].parseOptions;
    for (const handler of handlers.map.values()) {
      for (const { item } of handler._configuration.items) {
        if (item.map) yield item;
      }
    }
  }

  let original; // what the tables hold before anybody defines anything
  let typesetting = load("mathjax/tex-chtml-full.js")
    .then(() => window.MathJax.startup.promise)
    .then(() => {
      original = [...tables()].map((table) => [table, new Map(table.map)]);
    });

  // One after the other, and none inherits what another has defined.
  function typeset(element) {
    typesetting = typesetting
      .then(() => {
        for (const [table, map] of original) table.map = new Map(map);
        window.MathJax.texReset();
        return window.MathJax.typesetPromise([element]);
      })
      .catch(() => {});
  }

  let plotly;
  function draw(section) {
    for (const place of section.querySelectorAll(".figure[data-figure]")) {
      const { data, layout } = JSON.parse(place.dataset.figure);
      place.removeAttribute("data-figure");
      window.PlotlyConfig = { MathJaxConfig: "local" };
      plotly ??= load("plotly.min.js");
      plotly
        .then(() => {
          place.textContent = "";
          return window.Plotly.newPlot(place, data, layout, { staticPlot: true });
        })
        .catch((error) => {
          place.textContent = `[a figure of plotly that cannot be drawn here: ${error.message}]`;
        });
    }
  }

  // Each mark: its fields, and what the table had when this page was written.
  const marks = sections.flatMap((section) =>
    [...section.querySelectorAll(".mark")].map((mark) => {
      const points = mark.querySelector("input");
      const comment = mark.querySelector("textarea");
      return {
        student: section.dataset.student,
        question: mark.dataset.question,
        most: Number(mark.dataset.most),
        answer: mark.dataset.answer, // that is shown
        of: mark.dataset.answer, // that the fields are about
        earlier: mark.dataset.earlier, // points that another answer has
        before: mark.querySelector(".before"),
        points,
        comment,
        table: { points: points.defaultValue, comment: comment.defaultValue },
        saved: false, // to a file, as it is now
      };
    }),
  );

  const name = (mark) => `${mark.student}\n${mark.question}`;
  const changed = (mark) =>
    mark.points.value !== mark.table.points || mark.comment.value !== mark.table.comment;

  function kept() {
    try {
      return JSON.parse(localStorage.getItem(key)) ?? {};
    } catch {
      return {};
    }
  }

  function keep() {
    const typed = kept(); // students who are not on this page keep theirs
    for (const mark of marks) {
      if (changed(mark)) {
        const { points, comment, saved, of } = mark;
        typed[name(mark)] = { points: points.value, comment: comment.value, saved, of };
      } else {
        delete typed[name(mark)];
      }
    }
    try {
      localStorage.setItem(key, JSON.stringify(typed));
    } catch {
      said.textContent = "This browser keeps nothing: save often.";
    }
  }

  function value(mark) {
    const text = mark.points.value.trim().replace(",", ".");
    if (text === "") return "";
    const points = Number(text);
    return Number.isFinite(points) && points >= 0 && points <= mark.most ? points : null;
  }

  function check(mark) {
    mark.points.setAttribute("aria-invalid", String(value(mark) === null));
    const notes = [];
    if (changed(mark) && mark.table.points !== "") {
      notes.push(`(the table has ${mark.table.points})`);
    }
    if (mark.of !== mark.answer) notes.push("(typed for an earlier answer)");
    mark.before.textContent = notes.join(" ");
  }

  function count() {
    const done = marks.filter((mark) => mark.points.value.trim() !== "").length;
    said.textContent = `${done} of ${marks.length} marked${unsaved ? ", not all saved" : ""}`;
  }

  function show(index) {
    const at = Math.min(Math.max(index, 0), sections.length - 1);
    sections.forEach((section, i) => {
      section.hidden = i !== at;
    });
    choice.selectedIndex = at;
    if (shown.has(sections[at])) return;
    shown.add(sections[at]);
    typeset(sections[at]);
    draw(sections[at]);
  }

  // A cell that no spreadsheet takes for a formula, in quotes.
  function cell(text) {
    const harmless = /^[=+\-@\t\r\n]./s.test(text) ? `'${text}` : text;
    return `"${harmless.replaceAll('"', '""')}"`;
  }

  function save() {
    const wrong = marks.find((mark) => value(mark) === null);
    if (wrong) {
      show(sections.findIndex((section) => section.dataset.student === wrong.student));
      wrong.points.focus();
      said.textContent = `Not saved: ${wrong.student} must have 0 to ${wrong.most} points.`;
      return;
    }
    // Of what was not changed here, somebody else may have changed the table since.
    const own = marks.filter(changed);
    if (own.length === 0) {
      said.textContent = "Nothing to save: all is as in the table.";
      return;
    }
    const rows = own.map((mark) =>
      [mark.student, assignment, mark.question, String(value(mark)), mark.comment.value, mark.of]
        .map(cell)
        .join(","),
    );
    const head = "student,assignment,question,points,comment,answer";
    const text = `\ufeff${[head, ...rows].join("\r\n")}\r\n`;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    link.download = `written-${assignment}.csv`;
    link.click();
    for (const mark of own) mark.saved = true;
    unsaved = false;
    keep();
    count();
  }

  const typed = kept();
  for (const mark of marks) {
    const draft = typed[name(mark)];
    const of = draft?.of ?? mark.answer;
    // A saved draft is done with once the table has points, which may be a later correction.
    const taken = mark.table.points !== "" || (mark.earlier !== "" && of !== mark.answer);
    if (draft && !(draft.saved && taken)) {
      mark.saved = draft.saved === true;
      mark.of = of;
      mark.points.value = draft.points;
      mark.comment.value = draft.comment;
      unsaved ||= changed(mark) && !mark.saved;
    }
    for (const input of [mark.points, mark.comment]) {
      input.addEventListener("input", () => {
        unsaved = true;
        mark.saved = false;
        mark.of = mark.answer;
        keep();
        check(mark);
        count();
      });
    }
    check(mark);
  }
  addEventListener("beforeunload", (event) => {
    if (unsaved) event.preventDefault();
  });
  document.getElementById("save").addEventListener("click", save);
  document
    .getElementById("previous")
    .addEventListener("click", () => show(choice.selectedIndex - 1));
  document.getElementById("next").addEventListener("click", () => show(choice.selectedIndex + 1));
  choice.addEventListener("change", () => show(choice.selectedIndex));
  typeset(document.querySelector("aside"));
  show(0);
  count();
})();
