"""What widgets with a kernel share: dials, a button that tells how far it is, pictures, tables."""

__all__ = ["Stopped", "beginning", "dials", "picture", "runner", "table", "values"]

import atexit
import html
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from threading import Event, Thread
from typing import Any, TypeVar

T = TypeVar("T")
Say = Callable[[str], None]
Choices = Mapping[str, tuple[str, Any, Any]]  # by key: a name, its options, where it begins


def beginning(choices: Choices) -> dict[str, Any]:
    """Return the values that dials begin with.

    Example:
        >>> beginning({"beta": ("β", [0.3, 1.0, 3.0], 1.0)})
        {'beta': 1.0}
    """
    return {key: value for key, (_, _, value) in choices.items()}


def dials(choices: Choices) -> dict[str, Any]:
    """Return sliders by key, each of a name, its options and the value it begins with.

    Example:
        >>> dials({"beta": ("β", [0.3, 1.0, 3.0], 1.0)})["beta"].options
        (0.3, 1.0, 3.0)
    """
    import ipywidgets

    return {
        key: ipywidgets.SelectionSlider(description=name, options=options, value=value)
        for key, (name, options, value) in choices.items()
    }


def values(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is set on each dial.

    Example:
        >>> values(dials({"beta": ("β", [0.3, 1.0, 3.0], 1.0)}))
        {'beta': 1.0}
    """
    return {key: dial.value for key, dial in chosen.items()}


class Stopped(Exception):
    """The reader wants no more of what is at work."""


def runner(
    words: str,
    prepare: Callable[[], T],
    action: Callable[[T, Say], str | None],
    *,
    stops: bool = True,
) -> Any:
    """Return a button, one to stop, and what the action says: how far it is, why it is refused.

    The action runs in a thread, so that other buttons and cells are answered meanwhile. Where it
    is to stop, its next word raises :class:`Stopped` in it; what it shows belongs after its last
    word. When its cell is run again, a run is stopped; when Python exits, it is also waited for.

    Args:
        words: on the button.
        prepare: called at the press, while no cell runs: reads what is set, and makes what needs
            the random numbers of the process.
        action: gets what was prepared and a function to say how far it is; returns what is said
            in the end, None for nothing.
        stops: whether there is a button to stop; an action without words has none.

    Example:
        >>> run = runner("count", lambda: 3, lambda n, say: f"counted to {n}")
        >>> [child.description for child in run.children]
        ['count', 'stop', '']
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

    def end(text: str) -> None:
        stop.disabled = True
        tell(text)
        button.disabled = False

    def press(_: object) -> None:
        if button.disabled:  # a second click that was on its way
            return
        halt.clear()
        button.disabled, stop.disabled = True, False
        tell("at work")
        try:
            prepared = prepare()
        except BaseException as error:
            end(_told(error))
            return

        def work() -> None:
            text = ""
            try:
                text = action(prepared, say) or ""
            except Stopped:
                text = "stopped"
            except BaseException as error:  # nobody waits for the thread
                text = _told(error)
            finally:
                atexit.unregister(leave)
                end(text)

        thread = Thread(target=work, daemon=True)

        def leave() -> None:
            halt.set()
            thread.join()

        atexit.register(leave)  # PyTorch aborts where the interpreter goes from under a thread
        thread.start()

    def ask_to_stop(_: object) -> None:
        if not stop.disabled:
            halt.set()
            tell("stopping")

    button.on_click(press)
    stop.on_click(ask_to_stop)
    _when_run_again(partial(ask_to_stop, stop))
    return ipywidgets.HBox([button, stop, said] if stops else [button, said])


def _when_run_again(action: Callable[[], None]) -> None:
    """Call the action once the cell that is at work is run another time; nothing outside of one.

    A cell is known by the id that a notebook gives it, elsewhere by its source.
    """
    from IPython import get_ipython

    shell = get_ipython()
    if not hasattr(shell, "get_parent"):
        return
    asked = shell.get_parent()
    cell = asked.get("metadata", {}).get("cellId") or asked.get("content", {}).get("code")

    def look(info: Any) -> None:
        if cell in (info.cell_id, info.raw_cell):
            shell.events.unregister("pre_run_cell", look)
            action()

    shell.events.register("pre_run_cell", look)


def _told(error: BaseException) -> str:
    """What is said of an error: of a refusal its words; others leave their traceback too."""
    if isinstance(error, ValueError) and str(error):
        return str(error)
    traceback.print_exception(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def picture(url: str, alt: str) -> str:
    """Return the source of a picture with its description, for an HTML widget.

    Example:
        >>> picture("data:,", "A curve.").split(" style")[0]
        '<img src="data:," alt="A curve."'
    """
    return f'<img src="{url}" alt="{html.escape(alt)}" style="max-width: 380px; width: 100%">'


def table(rows: Mapping[str, str]) -> str:
    """Return the source of a table of names and values, for an HTML widget.

    Example:
        >>> table({"rate": "1.5 nats"})
        '<table><tr><th>rate</th><td>1.5 nats</td></tr></table>'
    """
    cells = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in rows.items())
    return f"<table>{cells}</table>"
