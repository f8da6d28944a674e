"""The API reference: what is public, page by page, and the sections of the book that use it.

A Sphinx extension. `.. room:: latent` documents a room of the package by autodoc, from its
docstrings; `.. overview:: latent` lists it with a line for each name. Under each function and
class stand the sections whose code names it, read from the cells of the notebooks.
"""

import ast
import inspect
import re
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import nbformat
from docutils import nodes
from docutils.statemachine import StringList
from IPython.core.inputtransformer2 import TransformerManager
from plotly import graph_objects
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.ext.autodoc.preserve_defaults import DefaultValue
from sphinx.util.docutils import SphinxDirective
from sphinx.util.inspect import signature, stringify_signature
from sphinx.util.nodes import make_refnode, nested_parse_with_titles
from torch import nn

import floors
import vaebook

# Their public names serve other rooms.
INSIDE = (
    "figures.pictures",
    "live.bundle",
    "live.pictures",
    "live.widgets",
    "recipes.book",
    "recipes.structure",
)


def rooms() -> list[str]:
    """Return the public rooms from the ground up."""
    top = [name for floor in floors.order() for name in floor if "." not in name]
    return [name for name in top if not name.startswith("_")]


def modules(room: str) -> list[str]:
    """Return a room, then those of its modules that it re-exports nothing of, from the ground up.

    Example:
        >>> modules("tables")
        ['tables', 'tables.claims']
    """
    package = import_module(f"vaebook.{room}")
    front = {getattr(package, name).__module__ for name in exported(room)}
    within = [name for floor in floors.order() for name in floor if name.startswith(f"{room}.")]
    return [room] + [m for m in within if f"vaebook.{m}" not in front and not m.startswith(INSIDE)]


def exported(module: str) -> list[str]:
    """Return the functions and classes that `__all__` of a module names."""
    found = import_module(f"vaebook.{module}")
    names = getattr(found, "__all__", [])
    return [n for n in names if inspect.isroutine(v := getattr(found, n)) or inspect.isclass(v)]


def identity(thing: Any) -> str:
    """Return the one name of a function or class, however it was imported."""
    return f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', '')}"


def summary(thing: Any) -> str:
    """Return the first paragraph of a docstring in one line."""
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


class Room(SphinxDirective):
    """Document a room and its modules, a section for each module."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        room, *rest = modules(self.arguments[0])
        lines = [f".. automodule:: vaebook.{room}", ""]
        for module in rest:
            title = f"vaebook.{module}"
            lines += [title, "-" * len(title), "", f".. automodule:: {title}", ""]
        section = nodes.section(document=self.state.document)
        nested_parse_with_titles(self.state, StringList(lines, source=__file__), section)
        for paragraph in list(section.findall(nodes.paragraph)):
            if paragraph.astext() == "Bases: object":
                paragraph.parent.remove(paragraph)
        return section.children


class Overview(SphinxDirective):
    """List the names of a room and of its modules with the first sentence of each."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        table = nodes.container()
        room = self.arguments[0]
        for module in modules(room):
            names = exported(module)
            if names or module == room:
                found = import_module(f"vaebook.{module}")
                lead = "" if module == room else f":py:mod:`{module} <vaebook.{module}>` – "
                lines = [lead + summary(found), ""]
                lines += [".. list-table::", "   :widths: auto", ""] if names else []
                for name in names:
                    lines += [
                        f"   * - :py:obj:`{name}`",
                        f"     - {summary(getattr(found, name))}",
                    ]
                # References in the lines are to what stands beside.
                self.env.ref_context["py:module"] = f"vaebook.{module}"
                self.state.nested_parse(StringList(lines, source=__file__), 0, table)
        self.env.ref_context.pop("py:module", None)
        return table.children


class uses(nodes.General, nodes.Element):
    """Stands under a function until all chapters have been read."""


class Uses(SphinxDirective):
    """Hold a place for the sections that use a function."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        return [uses(name=self.arguments[0])]


def hold_place(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Append to the docstring of a function or class where its uses come; "K." counts nothing."""
    lines[:] = [re.sub(r"^( +)([A-Za-z]\.)$", r"\1\\\2", line) for line in lines]
    if what in ("function", "class", "exception"):
        lines += ["", f".. uses:: {identity(thing)}", ""]


class Names(ast.NodeVisitor):
    """What a notebook's cells name of the package, one cell after the other."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}
        self.found: set[str] = set()

    def cell(self, source: str) -> set[str]:
        """Return what a cell names beside what it imports."""
        self.found = set()
        self.visit(ast.parse(TransformerManager().transform_cell(source)))
        return self.found

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.name.split(".")[0] == "vaebook":
                module = import_module(alias.name)
                self.known[alias.asname or "vaebook"] = module if alias.asname else vaebook

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if (node.module or "").split(".")[0] == "vaebook":
            package = import_module(str(node.module))
            for alias in node.names:
                if not hasattr(package, alias.name):
                    import_module(f"{node.module}.{alias.name}")
                self.known[alias.asname or alias.name] = getattr(package, alias.name)

    def visit_Name(self, node: ast.Name) -> None:
        self._note(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self._note(node)
        self.visit(node.value)

    def _note(self, node: ast.expr) -> None:
        if (thing := self._resolved(node)) is not None:
            self.found.add(identity(thing))

    def _resolved(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Name):
            return self.known.get(node.id)
        if isinstance(node, ast.Attribute) and (owner := self._resolved(node.value)) is not None:
            return getattr(owner, node.attr, None)
        return None


def cells(doctree: nodes.document) -> Iterator[tuple[int, str, str]]:
    """Yield each code cell's number with the anchor and the heading of its section."""
    for cell in doctree.findall(lambda node: "cell_index" in getattr(node, "attributes", {})):
        section: Any = cell
        # The content of a solution is a section as well, without a heading.
        while not (isinstance(section, nodes.section) and isinstance(section[0], nodes.title)):
            section = section.parent
        yield cell["cell_index"], section["ids"][0], section[0].astext()


def read_chapter(app: Sphinx, doctree: nodes.document) -> None:
    """Note which sections of a chapter name what of the package."""
    env = app.env
    path = Path(env.doc2path(env.docname))
    if path.suffix != ".ipynb":
        return
    found: dict[str, dict[str, str]] = defaultdict(dict)
    notebook, names = nbformat.read(path, as_version=4), Names()
    named = [names.cell(c.source) if c.cell_type == "code" else set() for c in notebook.cells]
    for number, anchor, heading in cells(doctree):
        for name in named[number]:
            found[name][anchor] = heading
    _chapters(env)[env.docname] = dict(found)


def forget_chapter(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    """Drop what was noted of a chapter that has changed or is gone."""
    _chapters(env).pop(docname, None)


def _chapters(env: Any) -> dict[str, dict[str, dict[str, str]]]:
    if not hasattr(env, "vaebook_uses"):
        env.vaebook_uses = {}
    return env.vaebook_uses


def link(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put in the links, in the order of the book."""
    for place in list(doctree.findall(uses)):
        chapters = nodes.bullet_list()
        for chapter, found in sorted(_chapters(app.env).items()):
            if place["name"] in found:
                title = app.env.titles[chapter].astext()
                line = nodes.paragraph("", "", nodes.emphasis("", title))
                for anchor, heading in found[place["name"]].items():
                    top = heading == title  # above the first section of the chapter
                    text = nodes.emphasis("", title) if top else nodes.Text(heading)
                    section = make_refnode(app.builder, docname, chapter, anchor, text)
                    if top:
                        line[0] = section
                    else:
                        line += [nodes.Text("; " if len(line) > 1 else ": "), section]
                chapters += nodes.list_item("", line)
        place.replace_self([nodes.rubric("", "Used in"), chapters] if len(chapters) else [])


def configure(app: Sphinx, config: Any) -> None:
    """Show what a class inherits from a private base with it, the rest with its public base."""
    things = [
        getattr(import_module(f"vaebook.{module}"), name)
        for room in rooms()
        for module in modules(room)
        for name in exported(module)
    ]
    bases = {base.__name__ for c in things if inspect.isclass(c) for base in c.__mro__}
    config.autodoc_default_options = {
        "members": True,
        "special-members": "__call__, __getitem__",
        "inherited-members": ",".join(sorted(b for b in bases if not b.startswith("_"))),
        "show-inheritance": True,
    }


def is_field(
    app: Sphinx, what: str, name: str, thing: Any, skip: bool, options: Any
) -> bool | None:
    """Leave out fields of named tuples and defaults of dataclasses: "Attributes" has them."""
    default = what == "class" and inspect.isfunction(thing) and "." not in thing.__qualname__
    return True if default or type(thing).__name__ == "_tuplegetter" else None


def name_defaults(app: Sphinx, thing: Any, bound: bool) -> None:
    """Show a default by its name, not as it lies in memory."""
    if not inspect.isfunction(thing):
        return
    written = inspect.signature(thing)
    nameless = [
        p
        for p in written.parameters.values()
        if p.default is not p.empty and repr(p.default).startswith("<")
    ]
    if nameless:
        named = {p.name: DefaultValue(getattr(p.default, "__name__", "...")) for p in nameless}
        parameters = [
            p.replace(default=named.get(p.name, p.default)) for p in written.parameters.values()
        ]
        vars(thing)["__signature__"] = written.replace(parameters=parameters)


def name_arrays(shown: str) -> str:
    """Name numpy's unions in a signature, which autodoc writes out over several lines.

    Example:
        >>> name_arrays("(x: Tensor | _Buffer | str | _NestedSequence[complex | bytes | str])")
        '(x: Tensor | ~numpy.typing.ArrayLike)'
    """
    like = r"[~\w.]*\b_Buffer \|.*?_NestedSequence\[[~\w.]*complex \| [^\]]*\]"
    array = r"\bndarray\[[~\w.]*tuple\[[~\w.]+, \.\.\.\], [~\w.]*dtype\[[~\w.]+\]\]"
    return re.sub(array, "ndarray", re.sub(like, "~numpy.typing.ArrayLike", shown))


def call_signature(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, args: str | None, result: str
) -> tuple[str, str] | None:
    """Give a protocol the signature of what it stands for, and arrays their name.

    A module of torch without a constructor of its own takes nothing; what plotly's figure takes
    is plotly's affair.
    """
    if what == "class" and thing.__init__ is nn.Module.__init__:
        return "()", result
    if what == "class" and thing.__init__ is graph_objects.Figure.__init__:
        return "", result
    if what != "class" or not is_called(thing):
        return (name_arrays(args), result) if args else None
    call = signature(thing.__call__, bound_method=True)
    shown, _, returned = stringify_signature(call, unqualified_typehints=True).rpartition(" -> ")
    return shown, returned


def is_called(thing: type) -> bool:
    """Tell whether a class stands for functions that can be called in one way."""
    return Protocol in thing.__bases__ and "__call__" in vars(thing)


def name_protocol(app: Sphinx, domain: str, kind: str, content: nodes.Element) -> None:
    """Say that a protocol is one, as its signature is that of a call."""
    signature = content.parent[0] if kind == "class" and content.parent else None
    if signature is None or not str(signature.get("module")).startswith("vaebook"):
        return
    thing = getattr(import_module(signature["module"]), signature["fullname"], None)
    if inspect.isclass(thing) and is_called(thing) and signature[0].astext() == "class ":
        signature[0].replace_self(addnodes.desc_annotation("", "protocol "))


def public_bases(app: Sphinx, name: str, thing: type, options: Any, bases: list[Any]) -> None:
    """Name the public bases of a private base in its place, and plotly's figure in full."""
    if graph_objects.Figure in bases:
        bases[bases.index(graph_objects.Figure)] = "``plotly.graph_objects.Figure``"
    while private := [base for base in bases if getattr(base, "__name__", "").startswith("_")]:
        at = bases.index(private[0])
        bases[at : at + 1] = private[0].__bases__


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect everything with Sphinx."""
    app.setup_extension("sphinx.ext.autodoc")
    app.setup_extension("sphinx.ext.napoleon")
    app.add_node(uses)
    app.add_directive("room", Room)
    app.add_directive("overview", Overview)
    app.add_directive("uses", Uses)
    app.connect("config-inited", configure)
    app.connect("autodoc-skip-member", is_field)
    app.connect("autodoc-before-process-signature", name_defaults)
    app.connect("autodoc-process-signature", call_signature)
    app.connect("autodoc-process-bases", public_bases)
    app.connect("object-description-transform", name_protocol)
    app.connect("autodoc-process-docstring", hold_place, priority=900)  # after napoleon
    app.connect("doctree-read", read_chapter)
    app.connect("env-purge-doc", forget_chapter)
    app.connect("doctree-resolved", link)
    return {"version": vaebook.__version__, "parallel_read_safe": False}
