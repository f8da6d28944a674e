"""What widgets with a kernel share: dials, a button that tells how far it is, pictures, tables."""

__all__ = ["Stopped", "dials", "picture", "runner", "table", "values"]

import html
from collections.abc import Callable, Mapping
from threading import Event, Thread
from typing import Any

Say = Callable[[str], None]


def dials(choices: Mapping[str, tuple[str, Any, Any]]) -> dict[str, Any]:
    """Return sliders by key, each of a name, its options and the value it begins with."""
    import ipywidgets

    return {
        key: ipywidgets.SelectionSlider(description=name, options=options, value=value)
        for key, (name, options, value) in choices.items()
    }


def values(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is set on each dial."""
    return {key: dial.value for key, dial in chosen.items()}


class Stopped(Exception):
    """The reader wants no more of what is at work."""


def runner(words: str, action: Callable[[Say], None]) -> Any:
    """Return a button, one to stop, and what the action says: how far it is, why it is refused.

    The action runs in a thread, so that other buttons and cells are answered meanwhile. Where it
    is to stop, its next word raises :class:`Stopped` in it.
    """
    import ipywidgets

    button, said = ipywidgets.Button(description=words), ipywidgets.HTML()
    stop, halt = ipywidgets.Button(description="stop", disabled=True), Event()

    def tell(text: str) -> None:
        said.value = html.escape(text).replace("\n", "<br>")

    def say(text: str) -> None:
        if halt.is_set():
            raise Stopped
        tell(text)

    def work() -> None:
        try:
            action(say)
        except Stopped:
            tell("stopped")
        except Exception as error:  # nobody sees the traceback of a thread
            tell(str(error) or type(error).__name__)
        finally:
            button.disabled, stop.disabled = False, True

    def press(_: object) -> None:
        halt.clear()
        button.disabled, stop.disabled = True, False
        tell("at work")
        Thread(target=work, daemon=True).start()

    button.on_click(press)
    stop.on_click(lambda _: halt.set())
    return ipywidgets.HBox([button, stop, said])


def picture(url: str, alt: str) -> str:
    """Return the source of a picture with its description, for an HTML widget."""
    return f'<img src="{url}" alt="{html.escape(alt)}" style="max-width: 380px; width: 100%">'


def table(rows: Mapping[str, str]) -> str:
    """Return the source of a table of names and values, for an HTML widget."""
    cells = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in rows.items())
    return f"<table>{cells}</table>"
