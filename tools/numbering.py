"""References by number without reading the page that they lead to again for each of them.

Sphinx unpickles the whole tree of a page at every `numref` to it, a quarter of the time that the
pages of the book take.
"""

from functools import cache
from typing import Any

from docutils.nodes import Element
from sphinx.application import Sphinx
from sphinx.domains.std import StandardDomain
from sphinx.environment import BuildEnvironment


class _ReadOnce:
    """The environment of a build that keeps the trees that it is asked for, to be looked at."""

    def __init__(self, env: BuildEnvironment) -> None:
        self._env = env
        self.get_doctree = cache(env.get_doctree)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._env, name)


class _Standard(StandardDomain):
    """Resolves references as Sphinx does, faster."""

    def __init__(self, env: BuildEnvironment) -> None:
        super().__init__(env)
        self._read_once = _ReadOnce(env)

    def resolve_xref(self, env: BuildEnvironment, *given: Any) -> Element | None:
        """Return the link, as for any other environment."""
        return super().resolve_xref(self._read_once, *given)  # type: ignore[arg-type]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.add_domain(_Standard, override=True)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
