"""The pages that the grader writes: feedback for a student, and one for marking written answers.

What a student has typed is shown as text and formulas; it can neither run nor load anything. The
page for marking says so to the browser a second time, in its content security policy.
"""

__all__ = ["feedback", "page", "proofs"]

import base64
import hashlib
import html
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin

from masters import Assignment, first_line

HERE = Path(__file__).resolve().parent
_MATHJAX = HERE.parent / "assets" / "vendor" / "mathjax"
_LONGEST_ANSWER = 50_000  # characters that are shown of an answer
_IMAGE = re.compile(r"data:image/(png|jpeg|gif|webp);base64,[\w+/=\s]+")

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
        if name not in found.answers and name not in report.marks:
            continue
        mark = f"{report.marks[name]:g}" if name in report.marks else "not yet marked"
        comment = html.escape(report.comments.get(name, ""))
        answer = html.escape(found.answers.get(name, ""))
        parts.append(f"<h2>{name}: {mark} / {report.assignment.written[name]:g}</h2>")
        parts.append(f"<p>{comment}</p><pre>{answer}</pre>")
        images = found.images.get(name, [])
        parts += [f'<p><img src="{html.escape(image)}" alt="pasted">' for image in images]
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


def _rendered(text: str, images: Sequence[str] = ()) -> str:
    """An answer as HTML: its pictures are those that were pasted into it, and no others."""
    left = list(images)

    def picture(tokens: Any, index: int, *_: Any) -> str:
        source = str(tokens[index].attrGet("src") or "")
        if source.startswith("attachment:") and left:
            source = left.pop(0)
        if _IMAGE.fullmatch(source):
            return f'<img src="{html.escape(source)}" alt="pasted by the student">'
        return f"[a picture that is not in the notebook: {html.escape(source[:200])}]"

    more = ""
    if len(text) > _LONGEST_ANSWER:
        more = f"<p><b>{len(text) - _LONGEST_ANSWER} more characters are in the notebook.</b></p>"
        text = text[:_LONGEST_ANSWER]
    parser = _markdown()
    parser.renderer.rules["image"] = picture  # type: ignore[attr-defined]
    # None that opens within: or looking for what closes each would take the square of the length.
    text = re.sub(r"\\\(((?:(?!\\\().)+?)\\\)", r"$\1$", text, flags=re.S)
    text = re.sub(r"\\\[((?:(?!\\\[).)+?)\\\]", r"$$\1$$", text, flags=re.S)
    shown = str(parser.render(text)) + more
    return shown + "".join(
        f'<p><img src="{html.escape(image)}" alt="pasted by the student"></p>' for image in left
    )


# ---------------------------------------------------------------------------------------------
# The page for marking

_SCRIPT = (HERE / "proofs.js").read_text(encoding="utf-8")
# Neither links nor attributes in formulas, nor definitions, which other students' would inherit:
# a student's TeX draws, and does nothing else.
_CONFIG = r"""
window.MathJax = {
  tex: {
    packages: ["base", "ams", "boldsymbol", "braket", "cancel", "cases", "centernot",
      "mathtools", "textmacros", "noundefined", "configmacros"],
    macros: { mmlToken: ["\\text{mmlToken}", 2] },
    maxMacros: 1000, maxBuffer: 20480,
  },
  options: { enableMenu: false, ignoreHtmlClass: "verbatim", maxMathNodes: 2000 },
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
[aria-invalid=true] { outline: 3px solid #c62828 }
"""


def proofs(folder: Path, assignment: Assignment, reports: Iterable[Any]) -> Path:
    """Write the page on which a person marks the written answers of an assignment.

    It needs no server: points and comments that are typed into it are saved to a file that
    `make grade` reads as WRITTEN.
    """
    reports = [report for report in reports if report.status != "missing"]
    shutil.copytree(_MATHJAX, folder / "mathjax", dirs_exist_ok=True)
    (folder / "files").mkdir(exist_ok=True)
    body = [_NAVIGATION.format(options="".join(_option(report) for report in reports))]
    body.append('<div class="answers"><div>')
    body += [_section(folder, report) for report in reports]
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
    path = folder / f"{assignment.name}.html"
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
    return path


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


def _option(report: Any) -> str:
    name = html.escape(report.student)
    return f'<option value="{name}">{name}</option>'


def _section(folder: Path, report: Any) -> str:
    name = html.escape(report.student)
    parts = [f'<section data-student="{name}" aria-label="{name}"><h2>{name}</h2>']
    for number, (question, most) in enumerate(report.assignment.written.items()):
        answer = report.found.answers.get(question)
        images = report.found.images.get(question, [])
        parts.append(f"<h3>{html.escape(question)}</h3>")
        shown = _rendered(answer, images) if answer else "<p>No answer found in the notebook.</p>"
        parts.append(f'<div class="answer" tabindex="0" role="region" aria-label="answer">{shown}')
        if number == 0:
            parts += [_paper(folder, paper) for paper in report.papers]
        points = report.marks.get(question)
        value = "" if points is None else f"{points:g}"
        comment = html.escape(report.comments.get(question, ""))
        parts.append(
            f"""</div>
<p class="mark" data-question="{html.escape(question)}" data-most="{most:g}">
<label>Points of {most:g} <input inputmode="decimal" size="4" value="{value}"></label>
<span class="before"></span><br>
<label>Comment <textarea>{comment}</textarea></label></p>"""
        )
    return "\n".join([*parts, "</section>"])


def _paper(folder: Path, paper: Any) -> str:
    """A picture or a PDF that was handed in beside the notebook."""
    name = html.escape(paper.name)
    suffix = paper.kind.rpartition("/")[2]
    file = f"files/{hashlib.sha256(paper.data).hexdigest()[:16]}.{suffix}"
    (folder / file).write_bytes(paper.data)
    link = f'<a href="{file}" target="_blank">{name}</a>'
    if paper.kind == "application/pdf":
        shown = f'<object data="{file}" type="{paper.kind}" aria-label="{name}"></object>'
    else:
        shown = f'<img src="{file}" alt="{name}">'
    return f"<p>{link}</p>{shown}"
