"""The reference has everything public, once and in order, and leads to where it is used."""

import ast
import fnmatch
import inspect
import io
import re
import shutil
from collections.abc import Iterator
from functools import cached_property
from importlib import import_module
from pathlib import Path

import nbformat
import pytest
import yaml
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace
from sphinx.util.inspect import signature, stringify_signature

import reference
import vaebook
from tests.unit.public_calls import EXEMPT, public
from vaebook import datasets, figures

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["sphinx"]["config"]
OWN = ("add_module", "auto", "default_role", "napoleon", "nitpick", "python_")
INSIDE = "serves other rooms with what they have checked"

# What serves inside, beside what `EXEMPT` says.
NOT_SHOWN = ["recipes.book.*", "live.pack.pack_decoder"]

CHAPTER = [
    nbformat.v4.new_markdown_cell("# A chapter"),
    nbformat.v4.new_code_cell("from vaebook.models import Bernoulli\nBernoulli()"),
    nbformat.v4.new_markdown_cell("## Before"),
    nbformat.v4.new_code_cell(
        "%pip list\nfrom vaebook.latent import paths as ways\nimport vaebook"
    ),
    nbformat.v4.new_markdown_cell("## A walk, and back"),
    nbformat.v4.new_code_cell("way = list(map(ways.line, starts, ends))"),
    nbformat.v4.new_markdown_cell("### By its full name"),
    nbformat.v4.new_code_cell("vaebook.datasets.digits().images"),
]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sphinx]:
    """The pages of the reference and one chapter, built with the book's settings."""
    source = tmp_path_factory.mktemp("book")
    shutil.copytree(ROOT / "chapters" / "api", source / "chapters" / "api")
    shutil.copy(ROOT / "chapters" / "api.md", source / "chapters")
    metadata = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
    chapter = nbformat.v4.new_notebook(cells=CHAPTER, metadata=metadata)
    nbformat.write(chapter, source / "chapters" / "01_walk.ipynb")
    contents = "```{toctree}\n:glob:\nchapters/*\nchapters/api/*\n```\n"
    (source / "index.md").write_text(f"# Book\n\n{contents}", encoding="utf-8")
    settings = {name: value for name, value in CONFIG.items() if name.startswith(OWN)}
    settings |= {
        "extensions": ["myst_nb", "reference"],
        "myst_enable_extensions": ["dollarmath"],
        "nb_execution_mode": "off",
        "nitpicky": True,
    }
    built = source / "_build"
    with docutils_namespace():
        app = Sphinx(
            source, None, built, built, "html", settings, status=None, warning=io.StringIO()
        )
        app.build()
        yield app


def shown(app: Sphinx) -> list[tuple[str, str, str]]:
    """Page, name as the page has it, and name where it is defined, of all that is documented."""
    found = []
    for name, entry in app.env.domaindata["py"]["objects"].items():
        if entry.aliased or entry.objtype == "module":
            continue
        module, _, inner = name.rpartition(".")
        member = ""
        if entry.objtype in ("method", "property", "attribute"):
            member = f".{inner}"
            module, _, inner = module.rpartition(".")
        thing = getattr(import_module(module), inner)
        found.append((entry.docname, name, reference.identity(thing) + member))
    return found


def test_everything_public_is_documented_once(app: Sphinx) -> None:
    hidden = NOT_SHOWN + [pattern for pattern, reason in EXEMPT.items() if reason == INSIDE]
    things = public()
    things |= {
        f"{name}.{key}": value
        for name, thing in things.items()
        if inspect.isclass(thing)
        for key, value in vars(thing).items()
        if isinstance(value, cached_property)
    }
    wanted = {
        f"vaebook.{name}"
        for name, thing in things.items()
        if not name.startswith("_")
        and thing.__doc__  # what has none of its own stands under its base
        and not any(fnmatch.fnmatch(name, pattern) for pattern in hidden)
    }
    found = [defined for _, _, defined in shown(app)]
    assert sorted(found) == sorted(set(found))
    assert set(found) - wanted == set(), "serves inside: see INSIDE in tools/reference.py"
    assert wanted - set(found) == set(), "is public, but on no page"


def test_a_name_stands_on_the_page_of_its_room(app: Sphinx) -> None:
    assert [
        name for page, name, _ in shown(app) if page != f"chapters/api/{name.split('.')[1]}"
    ] == []


def test_references_resolve_and_nothing_is_described_twice(app: Sphinx) -> None:
    assert app._warning.getvalue() == ""  # type: ignore[attr-defined]


def test_a_signature_names_arrays_and_does_not_write_them_out() -> None:
    for function in (figures.scatter, figures.film, figures.violins, datasets.from_arrays):
        shown = reference.name_arrays(stringify_signature(signature(function)))
        assert not re.search(r"_Nested|_Buffer|dtype", shown)
        assert re.search(r"ArrayLike|ndarray", shown)


def test_what_takes_no_argument_shows_none(app: Sphinx) -> None:
    page = app.env.get_doctree("chapters/api/models")
    (shown,) = [s for s in page.findall(addnodes.desc_signature) if s["fullname"] == "Bernoulli"]
    assert not list(shown.findall(addnodes.desc_parameter))


def test_what_can_be_called_says_so_and_another_librarys_class_is_named_in_full(
    app: Sphinx,
) -> None:
    described = {
        d["ids"][0]: d
        for d in app.env.get_doctree("chapters/api/objectives").findall(addnodes.desc_signature)
        if d["ids"]
    }
    objective = described["vaebook.objectives.Objective"].astext()
    assert re.match(r"protocol Objective\(model.* -> dict", objective)
    figures_page = app.env.get_doctree("chapters/api/figures")
    (figure,) = [
        d
        for d in figures_page.findall(addnodes.desc_signature)
        if d["ids"] == ["vaebook.figures.Figure"]
    ]
    assert figure.astext() == "class Figure"
    assert "Bases: plotly.graph_objects.Figure" in figure.parent.astext()


def test_the_pages_stand_in_the_order_of_the_floors() -> None:
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    listed = [chapter for part in contents["parts"] for chapter in part["chapters"]]
    (sections,) = [c["sections"] for c in listed if c["file"] == "chapters/api"]
    rooms = reference.rooms()
    assert set(vaebook.__all__) <= set(rooms)
    assert [section["file"] for section in sections] == [f"chapters/api/{r}" for r in rooms]
    overview = (ROOT / "chapters" / "api.md").read_text(encoding="utf-8")
    at = [overview.index(f"## [{room}](api/{room})") for room in rooms]
    assert at == sorted(at)


def test_the_overview_says_what_each_room_and_each_of_its_modules_is_for(app: Sphinx) -> None:
    page = app.env.get_doctree("chapters/api")
    for room in reference.rooms():
        (section,) = [s for s in page.findall(nodes.section) if s[0].astext() == room]
        said = [p.astext() for p in section.findall(nodes.paragraph)]
        for module in reference.modules(room):
            if module != room and not reference.exported(module):
                continue
            lead = "" if module == room else f"{module} – "
            words = reference.summary(import_module(f"vaebook.{module}"))[:12]
            assert any(line.startswith(lead + words) for line in said), lead + words


def test_a_letter_that_describes_a_parameter_begins_no_list(app: Sphinx) -> None:
    for room in reference.rooms():
        page = app.env.get_doctree(f"chapters/api/{room}")
        lists = page.findall(nodes.enumerated_list)
        assert [found.astext() for found in lists if found["enumtype"] != "arabic"] == [], room


def uses(app: Sphinx, room: str, name: str) -> list[tuple[str, str]]:
    """Heading and address of the links under a function."""
    page = app.env.get_and_resolve_doctree(f"chapters/api/{room}", app.builder)
    (signature,) = [s for s in page.findall(nodes.Element) if name in s.get("ids", ())]
    content = signature.parent[-1]
    lists = [n for n in content.children if isinstance(n, nodes.bullet_list)]
    return [(r.astext(), r["refuri"]) for found in lists for r in found.findall(nodes.reference)]


def test_a_function_leads_to_the_sections_whose_code_names_it(app: Sphinx) -> None:
    assert uses(app, "latent", "vaebook.latent.paths.line") == [
        ("A walk, and back", "../01_walk.html#a-walk-and-back")
    ]
    assert uses(app, "datasets", "vaebook.datasets.digits") == [
        ("By its full name", "../01_walk.html#by-its-full-name")
    ]
    assert uses(app, "latent", "vaebook.latent.paths.slerp") == []


def test_the_title_of_a_chapter_is_said_once(app: Sphinx) -> None:
    assert uses(app, "models", "vaebook.models.Bernoulli") == [
        ("A chapter", "../01_walk.html#a-chapter")
    ]
    page = app.env.get_and_resolve_doctree("chapters/api/models", app.builder)
    lines = [item.astext() for item in page.findall(nodes.list_item)]
    assert lines.count("A chapter") == 1
    assert "A chapter: A chapter" not in lines


def test_sources_are_a_section_of_the_docstring() -> None:
    for path in (ROOT / "vaebook").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                text = ast.get_docstring(node) or ""
                assert not re.search(r"^Source: *\S", text, re.MULTILINE), f"{path.name}: {text}"
