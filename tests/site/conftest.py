"""The built site on loopback, and a headless Chromium that looks at it."""

import functools
import http.server
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    ViewportSize,
    expect,
    sync_playwright,
)
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.site.built_site import SITE

# The one without a window first, which takes four fifths of the processor's time.
CHROMIUM = next(
    filter(
        None,
        map(
            shutil.which,
            ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"),
        ),
    ),
    None,
)
# Without these Chromium looks for its maker's servers at every start.
QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
SHARING = "--renderer-process-limit=1"  # in each context, see `new_page`
NO_CHROMIUM = "no Chromium found (apt-get install chromium): the pages were NOT looked at"

expect.set_options(timeout=30_000)  # a figure on a busy machine may take its time


NewPage = Callable[..., Page]


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Keep the test's report readable."""


@pytest.fixture(scope="session")
def base() -> Iterator[str]:
    """The address of the site on loopback."""
    handler = functools.partial(_Handler, directory=str(SITE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; without it the tests are skipped aloud, and fail in CI."""
    if CHROMIUM is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(NO_CHROMIUM)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, SHARING])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def new_page(browser: Browser) -> Iterator[NewPage]:
    """Open a page as `Browser.new_page` does, in one context for all with the same options.

    They share a process, and so compiled scripts, plotly's above all; an empty page keeps it
    alive. They also share caches and what pages store.
    """
    contexts: dict[str, BrowserContext] = {}

    def opened(viewport: ViewportSize | None = None, **options: Any) -> Page:
        key = repr(sorted(options.items()))
        if key not in contexts:
            contexts[key] = closing.enter_context(browser.new_context(**options))
            contexts[key].new_page()
        page = contexts[key].new_page()
        page.set_viewport_size(viewport or {"width": 1280, "height": 720})
        return page

    with ExitStack() as closing:
        yield opened


class _Visits(LoadScopeScheduling):
    """All that is asked of one visit to a page goes to one process, and so does any other file."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        return test.partition("[")[2] if file.endswith("test_pages.py") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _Visits:
    """Share the tests out among processes."""
    return _Visits(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it where nobody overlooks it."""
    if CHROMIUM is None:
        terminalreporter.write_sep("!", NO_CHROMIUM, red=True)
