"""The pages that the grader writes: feedback for a student, and one for marking written answers.

What a student has typed is shown as text and formulas; it can neither run nor load anything. The
page for marking says so to the browser a second time, in its content security policy.
"""

__all__ = ["feedback", "page", "proofs"]

import base64
import hashlib
import html
import json
import math
import re
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin

from marks import Mark, Marks
from masters import Assignment, first_line

HERE = Path(__file__).resolve().parent
_MATHJAX = HERE.parent / "assets" / "vendor" / "mathjax"
_LONGEST_ANSWER = 50_000  # characters that are shown of an answer
_LARGEST_FIGURE = 3_000_000  # and of a figure of plotly
_IMAGE = re.compile(r"data:image/(png|jpeg|gif|webp|svg\+xml);base64,[\w+/=\s]+")

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
{policy}<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --line: #767676; --soft: #f0f0f0; --link: #0b57a4 }}
@media (prefers-color-scheme: dark) {{
  :root {{ --line: #999; --soft: #2a2a2a; --link: #8ab8f0 }}
}}
html {{ background: Canvas; color: CanvasText }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: {width}; margin: auto; padding: 1rem }}
a {{ color: var(--link) }}
table {{ border-collapse: collapse; width: 100% }}
td, th {{ border-bottom: 1px solid var(--line); padding: .4rem; text-align: left;
  vertical-align: top }}
td.points {{ white-space: nowrap }}
img, svg {{ max-width: 100% }}
svg {{ fill: var(--link); font-size: 9px; text-anchor: middle }}
svg text {{ fill: currentColor }}
pre {{ background: var(--soft); padding: .6rem; overflow-x: auto; white-space: pre-wrap }}
.wide {{ overflow-x: auto }}
{style}</style>
</head>
<body{body_attributes}>
<main>
<h1>{title}</h1>
{body}
</main>
{script}</body>
</html>
"""


def page(title: str, body: str, **parts: str) -> str:
    """Return a page; `body` and the parts are HTML, the title is text."""
    empty = dict.fromkeys(("policy", "style", "script", "body_attributes"), "")
    parts = {**empty, "width": "50rem", **parts}
    return _PAGE.format(title=html.escape(title), body=body, **parts)


_ON_A_PHONE = """@media (max-width: 40rem) {
  td, th { display: block; border: 0; padding: .1rem 0 }
  tr { border-bottom: 1px solid var(--line) }
}
"""


def feedback(report: Any) -> str:
    """Return a page that tells a student what each test said."""
    row, found = report.row, report.found
    summary = f"{row['automatic']} of {row['automatic_of']} points by the tests"
    summary += f", {row['written'] or 'not yet marked'} of {row['written_of']} for what you wrote."
    if report.status != "graded":
        summary += f" ({report.status})"
    parts = [f"<p><b>{html.escape(report.student)}</b>: {html.escape(summary)}</p>"]
    parts += [f"<p>{html.escape(said)}</p>" for said in _counted(report)]
    parts.append("<table><tr><th>Test<th>Points<th>What it said")
    for name, points in report.assignment.tests.items():
        error = report.outcome.errors[name]
        label = first_line(report.assignment.cells[name].source).lstrip("# ")
        score = f"{report.scores[name]:g} / {points:g}"
        said = f"<pre>{html.escape(error)}</pre>" if error else "passed"
        if detail := report.outcome.details.get(name):
            said += f"<p>On other inputs:</p><pre>{html.escape(detail)}</pre>"
        parts.append(f"<tr><td>{html.escape(label)}<td class=points>{score}<td>{said}")
    parts.append("</table>")
    if remarks := [*found.remarks, *report.outcome.remarks]:
        items = "".join(f"<li>{html.escape(remark)}" for remark in remarks)
        parts.append(f"<h2>Remarks</h2><ul>{items}</ul>")
    for name in report.assignment.written:
        if not (name in report.marks or found.answers.get(name) or found.images.get(name)):
            continue
        mark = f"{report.marks[name]:g}" if name in report.marks else "not yet marked"
        comment = html.escape(report.comments.get(name, ""))
        if comment and name in report.earlier:
            comment = f"(On an earlier answer:) {comment}"
        answer = html.escape(found.answers.get(name, ""))
        parts.append(f"<h2>{name}: {mark} / {report.assignment.written[name]:g}</h2>")
        parts.append(f"<p>{comment}</p><pre>{answer}</pre>")
        images = found.images.get(name, [])
        parts += [
            f"<p>{_picture(image)}"
            if _IMAGE.fullmatch(image)
            else "<p>[a figure in your notebook]"
            for image in images
        ]
    if report.outcome.output:
        printed = html.escape(report.outcome.output[:4_000])
        parts.append(f"<h2>What your cells printed</h2><pre>{printed}</pre>")
    parts.append(f"<p>Random inputs of seed {report.seed}.</p>")
    title = f"{report.assignment.title}: {report.student}"
    return page(title, "\n".join(parts), style=_ON_A_PHONE)


def _counted(report: Any) -> list[str]:
    """Say what being late has cost, and what counts."""
    row, late = report.row, report.late
    said = []
    if late.days:
        said.append(
            f"Handed in {row['handed_in']}, {late.days} {_days(late.days)} late; "
            f"{late.free} of them were free."
        )
    if row["taken_off"]:
        why = f"{100 * late.part:g} per cent for being late" if late.part else ""
        if report.cap is not None and float(row["total"]) == report.cap:
            why = f"{why}, and {report.cap:g} at most count" if why else "more do not count"
        said.append(f"{row['taken_off']} points were taken off ({why}): {row['total']} count.")
    return said


def _days(n: int) -> str:
    return "day" if n == 1 else "days"


# ---------------------------------------------------------------------------------------------
# Text with formulas


def _math(text: str, options: Mapping[str, Any]) -> str:
    """A formula, as text that only MathJax will read."""
    tex = html.escape(text.strip())
    return rf"\[{tex}\]" if options.get("display_mode") else rf"\({tex}\)"


def _markdown() -> MarkdownIt:
    """Markdown as in a notebook, without HTML and without addresses that lead anywhere."""
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.disable(["link", "autolink", "reference"])
    parser.use(dollarmath_plugin, double_inline=True, renderer=_math)
    parser.use(amsmath_plugin, renderer=lambda text: rf"\[{html.escape(text)}\]")
    return parser


def _rendered(text: str, images: Sequence[str] = (), labels: set[str] | None = None) -> str:
    """An answer as HTML: its pictures are those that were pasted into it, and no others.

    Args:
        text: in Markdown, as in a notebook.
        images: as :class:`submissions.Found` has them.
        labels: those of formulas that are there already, of which each may be there once.
    """
    left = list(images)

    def picture(tokens: Any, index: int, *_: Any) -> str:
        source = str(tokens[index].attrGet("src") or "")
        if source.startswith("attachment:") and left:
            return _picture(left.pop(0))
        return _picture(source) if _IMAGE.fullmatch(source) else _not_shown(source)

    more = ""
    if len(text) > _LONGEST_ANSWER:
        more = f"<p><b>{len(text) - _LONGEST_ANSWER} more characters are in the notebook.</b></p>"
        text = text[:_LONGEST_ANSWER]
    parser = _markdown()
    parser.renderer.rules["image"] = picture  # type: ignore[attr-defined]
    seen = set() if labels is None else labels

    def once(match: re.Match[str]) -> str:
        new = match[1] not in seen
        seen.add(match[1])
        return match[0] if new else ""

    text = re.sub(r"\\label\s*\{([^{}]*)\}", once, _dollars(text))
    shown = str(parser.render(text)) + more
    return shown + "".join(f"<p>{_picture(image)}</p>" for image in left)


def _picture(image: str) -> str:
    """A picture of a notebook; a figure of plotly as data that the page's script draws."""
    kind, _, data = image.partition(";base64,")
    if kind == "data:application/vnd.plotly.v1+json":
        if len(data) > _LARGEST_FIGURE:
            return _not_shown(f"a figure of plotly of {len(data)} characters")
        try:
            figure = html.escape(json.dumps(_plain(json.loads(base64.b64decode(data)))))
        except RecursionError:
            return _not_shown("a figure of plotly that is too deep")
        return (
            f'<span class="figure" data-figure="{figure}">a figure of plotly, which the script of '
            "this page draws</span>"
        )
    if _IMAGE.fullmatch(image):
        return f'<img src="{html.escape(image)}" alt="of the student">'
    return _not_shown(image.removeprefix("not shown: "))


def _not_shown(what: str) -> str:
    return f"[a picture that is not shown here: {html.escape(what[:200])}; see the notebook]"


def _plain(value: Any) -> Any:
    """A figure's description without tags, which plotly would make links of."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items() if k not in ("images", "updatemenus")}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None  # which JSON has no word for
    return re.sub(r"<(?!/?(?:b|i|br|sub|sup)\b)", "‹", value) if isinstance(value, str) else value


# What opens and closes formulas and code, and a backslash with what it belongs to.
_MARK = re.compile(
    r"\\begin\{([A-Za-z]+\*?)\}|\\end\{([A-Za-z]+\*?)\}|\\{1,2}[][()]|\\.|\$\$?|`+|\n\s*\n", re.S
)


def _dollars(text: str) -> str:
    r"""Put dollars in place of the \\( and \\[ that are not within a formula or code already.

    Notebooks know them with one backslash or two; within a formula two of them end a line, and a
    bracket says how far it is to the next, `a\\\\[4pt]b`.
    """
    marks = list(_MARK.finditer(text))
    last = {_closes(mark): mark.start() for mark in marks}  # so nothing opens that never closes
    found, at, opened = [], 0, None
    closing, depth = "", 0
    for mark in marks:
        said = mark[0]
        if opened is None:
            closing = _closed_by(mark)
            if closing and last.get(closing, -1) > mark.start():
                opened, depth = mark, 1
            continue
        if opened[1] and mark[1] == opened[1]:
            depth += 1
        if opened[0] == "$" and said.isspace():
            opened = None
        elif _closes(mark) == closing:
            depth -= 1
            if depth == 0:
                inner = text[opened.end() : mark.start()]
                if opened[0][-1] in "[(" and "$" not in inner:
                    dollars = "$" if opened[0][-1] == "(" else "$$"
                    inner = inner.strip() if dollars == "$" else inner
                    found += [text[at : opened.start()], dollars, inner, dollars]
                    at = mark.end()
                opened = None
    return "".join([*found, text[at:]])


def _closes(mark: re.Match[str]) -> str:
    return f"end {mark[2]}" if mark[2] else mark[0]


def _closed_by(mark: re.Match[str]) -> str:
    """What closes that which a mark opens; nothing where it opens nothing."""
    if mark[1]:
        return f"end {mark[1]}"
    if mark[0][0] in "$`":
        return mark[0]
    pairs = {"[": "]", "(": ")"}
    return mark[0][:-1] + pairs[mark[0][-1]] if mark[0][-1] in pairs else ""


# ---------------------------------------------------------------------------------------------
# The page for marking

_SCRIPT = (HERE / "proofs.js").read_text(encoding="utf-8")
# Neither links nor attributes in formulas: a student's TeX draws, and does nothing else. What it
# defines the script takes back before it comes to the next student's.
_CONFIG = r"""
window.MathJax = {
  tex: {
    packages: ["base", "ams", "boldsymbol", "braket", "cancel", "cases", "centernot",
      "mathtools", "newcommand", "textmacros", "noundefined", "configmacros"],
    macros: { mmlToken: ["\\text{mmlToken}", 2] },
    maxMacros: 1000, maxBuffer: 20480,
  },
  options: { enableMenu: false, ignoreHtmlClass: "verbatim" },
  startup: { typeset: false },
};
"""
_STYLE = """
[hidden] { display: none }
.answers { display: grid; grid-template-columns: minmax(0, 3fr) minmax(16rem, 2fr); gap: 2rem }
aside { position: sticky; top: 0; align-self: start; max-height: 100vh; overflow-y: auto }
@media (max-width: 50rem) {
  .answers { grid-template-columns: minmax(0, 1fr); gap: 0 }
  aside { position: static; max-height: none }
}
nav, .save { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center }
button, select, input, textarea { font: inherit; padding: .3rem .6rem; max-width: 100%;
  border: 1px solid var(--line) }
textarea { width: 100%; box-sizing: border-box; min-height: 6rem }
.answer { border: 1px solid var(--line); padding: 0 1rem; overflow-x: auto;
  overflow-wrap: anywhere }
object { width: 100%; height: 40rem; border: 0 }
.definitions { position: absolute; clip-path: inset(50%); width: 1px; height: 1px;
  overflow: hidden }
.figure { display: block; min-height: 28rem }
.figure svg { fill: initial; font-size: initial; text-anchor: initial; max-width: none }
.figure svg text { fill: initial }
[aria-invalid=true] { outline: 3px solid #c62828 }
"""


def proofs(
    folder: Path,
    assignment: Assignment,
    reports: Iterable[Any],
    marks: Marks,
    gone: Collection[str] = (),
) -> Path:
    """Write the page on which a person marks the written answers of an assignment.

    It needs no server: points and comments that are typed into it are saved to a file that
    `make grade` reads as WRITTEN. Students who were on it stay there, with the marks that they
    have now, if they are neither among the reports nor `gone`.
    """
    path = folder / f"{assignment.name}.html"
    (folder / "files").mkdir(parents=True, exist_ok=True)
    sections = _sections(path, marks)
    for report in reports:
        sections[report.student] = "" if report.status == "missing" else _section(folder, report)
    sections = {name: sections[name] for name in sorted(sections, key=str.casefold)}
    sections = {name: text for name, text in sections.items() if text and name not in gone}
    if sections:
        _write_proofs(path, assignment, sections)
    else:
        path.unlink(missing_ok=True)
    used = {
        name
        for page_ in folder.glob("*.html")
        for name in re.findall(r"files/([\w.]+)", page_.read_text(encoding="utf-8"))
    }
    for file in (folder / "files").iterdir():
        if file.name not in used:
            file.unlink()
    return path


def _sections(path: Path, marks: Marks) -> dict[str, str]:
    """The students of a page that is there, with their marks as they are now."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    found = {}
    for match in re.finditer(r'<section data-student="([^"]*)".*?</section>', text, re.S):
        student = html.unescape(match[1])

        def mark(old: re.Match[str], student: str = student) -> str:
            question, answer = html.unescape(old[1]), old[3]
            typed = marks.get((student, question), Mark())
            return _mark(question, float(old[2]), typed, answer)

        found[student] = re.sub(
            r'<p class="mark" data-question="([^"]*)" data-most="([\d.]+)" data-answer="(\w*)"'
            r".*?</label></p>",
            mark,
            match[0],
            flags=re.S,
        )
    return found


def _write_proofs(path: Path, assignment: Assignment, sections: Mapping[str, str]) -> None:
    folder = path.parent
    shutil.copytree(_MATHJAX, folder / "mathjax", dirs_exist_ok=True)
    if any('class="figure"' in text for text in sections.values()):
        from plotly.offline import get_plotlyjs

        (folder / "plotly.min.js").write_text(get_plotlyjs(), encoding="utf-8")
    body = [_NAVIGATION.format(options="".join(map(_option, sections)))]
    body.append('<div class="answers"><div>')
    body += sections.values()
    body.append("</div><aside aria-label='Task and rubric' tabindex='0'>")
    for question in assignment.written:
        task = re.sub(r"^#+ ", "## ", assignment.questions[question], flags=re.M)
        body.append(_rendered(task))
        if rubric := assignment.rubrics[question]:
            body.append(f"<h2>Rubric</h2>{_rendered(rubric)}")
    body.append("</aside></div>")
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in (_CONFIG, _SCRIPT))
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'unsafe-inline'; "
        f"script-src {hashes} 'strict-dynamic'; img-src data: file:; font-src file: data:; "
        "object-src file:; frame-src file:"
    )
    path.write_text(
        page(
            f"Written answers: {assignment.title}",
            "\n".join(body),
            policy=f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n',
            style=_STYLE,
            width="80rem",
            script=f"<script>{_CONFIG}</script>\n<script>{_SCRIPT}</script>\n",
            body_attributes=f' data-assignment="{html.escape(assignment.name)}"',
        ),
        encoding="utf-8",
        errors="replace",
    )


_NAVIGATION = """<p>Points and comments stay in this browser until you save them to a file, which
<code>make grade WRITTEN=FILE</code> reads.</p>
<nav aria-label="Students">
<button type="button" id="previous">Previous</button>
<label>Student <select id="student">{options}</select></label>
<button type="button" id="next">Next</button>
</nav>
<p class="save"><button type="button" id="save">Save to a file</button>
<span id="said" role="status"></span></p>
"""


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _option(student: str) -> str:
    name = html.escape(student)
    return f'<option value="{name}">{name}</option>'


def _section(folder: Path, report: Any) -> str:
    name = html.escape(report.student)
    parts = [f'<section data-student="{name}" aria-label="{name}"><h2>{name}</h2>']
    if macros := "".join(map(_rendered, report.found.definitions)):
        parts.append(f'<div class="definitions">{macros}</div>')
    if report.refused:
        reasons = "".join(f"<li>{html.escape(reason)}" for reason in report.refused)
        parts.append(f"<p>Handed in, and not shown here:</p><ul>{reasons}</ul>")
    labels: set[str] = set()
    for at, (question, most) in enumerate(report.assignment.written.items()):
        answer = report.found.answers.get(question)
        images = report.found.images.get(question, [])
        parts.append(f"<h3>{html.escape(question)}</h3>")
        shown = "" if answer else "<p>No answer found in the notebook.</p>"
        shown += _rendered(answer or "", images, labels)
        parts.append(f'<div class="answer" tabindex="0" role="region" aria-label="answer">{shown}')
        if at == 0:
            parts += [_paper(folder, paper) for paper in report.papers]
        answer_ = report.digest(question)
        points = report.marks.get(question, report.earlier.get(question))
        of = "earlier" if question in report.earlier else answer_
        mark = Mark(points, report.comments.get(question, ""), of)
        parts.append(f"</div>\n{_mark(question, most, mark, answer_)}")
    return "\n".join([*parts, "</section>"])


def _mark(question: str, most: float, mark: Mark, answer: str) -> str:
    """The fields for points and a comment; points of an earlier answer stand beside theirs."""
    points = "" if mark.points is None else f"{mark.points:g}"
    value, earlier = (points, "") if mark.is_of(answer) else ("", points)
    said = earlier and f"<b>{earlier} points were given to an earlier answer.</b>"
    return f"""<p class="mark" data-question="{html.escape(question)}" data-most="{most:g}" \
data-answer="{answer}" data-earlier="{earlier}">
<label>Points of {most:g} <input inputmode="decimal" size="4" value="{value}"></label>
{said} <span class="before"></span><br>
<label>Comment <textarea>{html.escape(mark.comment)}</textarea></label></p>"""


def _paper(folder: Path, paper: Any) -> str:
    """A picture or a PDF that was handed in beside the notebook."""
    name = html.escape(paper.name)
    suffix = paper.kind.rpartition("/")[2].partition("+")[0]
    file = f"files/{hashlib.sha256(paper.data).hexdigest()[:16]}.{suffix}"
    (folder / file).write_bytes(paper.data)
    link = f'<a href="{file}" target="_blank">{name}</a>'
    if paper.kind == "application/pdf":
        shown = f'<object data="{file}" type="{paper.kind}" aria-label="{name}"></object>'
    else:
        shown = f'<img src="{file}" alt="{name}">'
    # Opened by itself, a drawing in SVG could run what is in it.
    return f"<p>{name if suffix == 'svg' else link}</p>{shown}"
