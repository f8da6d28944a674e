"""Widgets that ask a trained model, and the pictures that stand for them on a page."""

import atexit
import base64
import re
import subprocess
import sys
import time
import warnings
from functools import partial
from threading import Event

import pytest
import torch
from jupyter_client.manager import start_new_kernel

from tests.unit.kernel_widgets import WIDGET, press, widgets
from vaebook import live
from vaebook.figures import number
from vaebook.figures.schematics import TERMS
from vaebook.latent import samplers
from vaebook.live.kernel import _compare, _embed, _run_chains
from vaebook.live.widgets import runner
from vaebook.measures import bounds
from vaebook.models import VAE, Bernoulli
from vaebook.models.networks import MLPDecoder, MLPEncoder

pytestmark = pytest.mark.slow


@pytest.fixture
def plane():
    torch.manual_seed(0)
    return VAE(MLPEncoder(4, (16,)), MLPDecoder(2, (16,)), 2, Bernoulli()).eval()


COUNT = """
import time, torch
from vaebook.live import widgets

def count(n, say):
    for i in range(n):
        say(str(i))
        x = torch.randn(300, 300)
        for _ in range(20):
            x = torch.softmax(x @ x, 1).requires_grad_()
            x.sum().backward()
            x = x.detach()

widgets.runner("count", lambda: 100_000, count).children[0].click()
time.sleep(0.1)
"""


def test_python_exits_in_peace_during_a_run():
    done = subprocess.run(
        [sys.executable, "-c", COUNT], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


BEGIN = """
import time
from vaebook.live import widgets

def count(n, say):
    for i in range(n):
        say(str(i))
        time.sleep(0.01)

button, stop, said = widgets.runner("count", lambda: 3000, count).children
button.click()
"""


@pytest.mark.parametrize("known", [True, False])
def test_a_run_is_stopped_when_its_cell_is_run_again_and_by_no_other_cell(known):
    manager, client = start_new_kernel()

    def run(code, cell):
        """Run a cell as a notebook does that sends its id, or that does not."""
        content = {"code": code, "silent": False, "store_history": True}
        metadata = {"cellId": cell} if known else {}
        message = client.session.msg("execute_request", content, metadata=metadata)
        client.shell_channel.send(message)
        printed = ""
        while True:
            reply = client.get_iopub_msg(timeout=60)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                printed += reply["content"].get("text", "")
                if reply["content"].get("execution_state") == "idle":
                    return printed.strip()

    try:
        run("import time", "first")
        run(BEGIN, "begin")
        run("earlier = button, said; time.sleep(0.1)", "keep")
        assert run("print(earlier[0].disabled)", "ask") == "True"
        run(BEGIN, "begin")
        assert run("time.sleep(0.1); print(earlier[1].value, button.disabled)", "look") == (
            "stopped True"
        )
        assert run("print(said.value)", "ask") != "stopped"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_run_leaves_nothing_to_be_done_at_the_exit(monkeypatch):
    left: list[object] = []
    most: list[int] = []
    monkeypatch.setattr(atexit, "register", left.append)
    monkeypatch.setattr(atexit, "unregister", left.remove)
    button, *_ = runner("count", lambda: 3, lambda n, say: most.append(len(left))).children
    press({"count": button}, "count")
    assert (most, left) == ([1], [])


def test_a_second_click_starts_no_second_run():
    started, go = [], Event()

    def wait(n, say):
        started.append(n)
        go.wait(10)

    button, *_ = runner("count", lambda: 3, wait).children
    button.click()
    button.click()
    go.set()
    while button.disabled:
        time.sleep(0.01)
    assert started == [3]


def test_a_run_that_ends_before_it_is_stopped_is_not_called_stopped():
    go = Event()

    def wait(_, say):
        say("at work on it")
        go.wait(10)
        return "done"

    button, stop, said = runner("count", lambda: 3, wait).children
    button.click()
    while said.value != "at work on it":
        time.sleep(0.001)
    stop.click()
    assert said.value == "stopping"
    go.set()
    while button.disabled:
        time.sleep(0.001)
    assert (said.value, stop.disabled) == ("done", True)


def test_an_embedding_has_no_button_to_stop():
    found = widgets(live.embed_again(*clouds(), alt="Three islands."))
    assert "embed again" in found
    assert "stop" not in found


@pytest.mark.parametrize("where", ["prepare", "action"])
@pytest.mark.parametrize(
    ("error", "words", "traces"),
    [
        (ValueError("n must be 3"), "n must be 3", False),
        (KeyError("beta"), "KeyError: &#x27;beta&#x27;", True),
        (SystemExit(), "SystemExit", True),
    ],
)
def test_an_error_is_told_with_its_type_unless_it_is_a_refusal(
    where, error, words, traces, capsys
):
    def fail(*_):
        raise error

    steps = (fail, lambda *_: None) if where == "prepare" else (lambda: 3, fail)
    button, stop, said = runner("count", *steps).children
    press({"count": button}, "count")
    assert (said.value, stop.disabled) == (words, True)
    assert ("Traceback" in capsys.readouterr().err) == traces


def test_a_page_gets_pictures_and_a_link_and_a_notebook_widgets():
    from ipywidgets import HTML

    figure = live.WithKernel({"codes": "data:,a", "loss": "data:,b"}, 'Train "again".', HTML)
    bundle = figure._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", WIDGET}
    page = bundle["text/html"]
    assert page.count("<img ") == 2
    assert 'alt="Train &quot;again&quot;."' in page
    assert "vaebook-launch" in page
    assert "<script" not in page


def test_the_chains_are_those_of_the_sampler(plane):
    image = torch.rand(1, 28, 28, generator=torch.Generator().manual_seed(1))
    settings = {"start": "q(z|x)", "chains": 4, "steps": 500, "step": 0.1}
    words = _run_chains(plane, image, settings).table
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        codes = plane.codes(image[None])
        start = codes.mu + (codes.logvar / 2).exp() * torch.randn(4, 2, generator=generator)
        run = partial(samplers.pcn, plane.target(image), start, 500, 0.1, progress=False)
        chain = run(generator=generator)
    assert f">{100 * chain.acceptance_rate.mean():.0f} %<" in words
    assert f">{chain[250:].rhat().max():.2f}<" in words


def test_chains_that_never_move_are_told_without_a_warning(plane):
    image = torch.rand(1, 28, 28, generator=torch.Generator().manual_seed(1))

    settings = {"start": "prior", "chains": 2, "steps": 500, "step": 1e-12}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        words = _run_chains(plane, image, settings).table
    assert "nan" not in words
    assert ">–<" in words
    assert "never moved in the second half</th><td>2 of 2 chains: take smaller steps<" in words


def test_chains_run_on_what_has_been_drawn(plane):
    examples = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    mu = torch.randn(9, 2, generator=torch.Generator().manual_seed(2))
    found = widgets(live.chains_on_drawing(plane, mu, None, examples, alt="Chains."))
    before = found["HTML 2"].value, found["HTML 3"].value
    press(found, "run chains")  # nothing has been drawn yet: the first example
    assert (found["HTML 2"].value, found["HTML 3"].value) == before
    drawn = torch.zeros(28, 28, dtype=torch.uint8)
    drawn[4:24, 13:15] = 255
    found["LiveWidget"].drawn = base64.b64encode(drawn.numpy().tobytes()).decode()
    press(found, "run chains")
    settings = {"start": "prior", "chains": 8, "steps": 500, "step": 0.05}
    assert found["HTML 2"].value == _run_chains(plane, drawn[None] / 255, settings).table
    assert found["HTML 2"].value != before[0]
    found["chains"].value = 2
    assert "The paths of 8 chains" in found["HTML 3"].value
    press(found, "run chains")
    assert "The paths of 2 chains" in found["HTML 3"].value


def test_a_model_that_is_no_plane_is_refused(plane):
    mu = torch.randn(9, 2)
    with pytest.raises(ValueError, match=r"examples must be .*\[E, 1, 28, 28\]"):
        live.chains_on_drawing(plane, mu, None, torch.zeros(1, 28, 28), alt="x")


def test_the_bounds_of_a_drawing_are_those_of_the_measures(plane):
    image = torch.rand(1, 28, 28, generator=torch.Generator().manual_seed(1))
    said: list[str] = []
    url, alt, words = _compare(plane, image, {"draws": 30, "seed": 0}, said.append)
    exact = bounds.log_evidence_grid(plane, image[None]).item()
    assert f">{number(exact, 1)} nats<" in words
    assert alt.endswith(f"for 30; log p(x) is {number(exact, 1)}")
    assert said == [f"estimates from {k} draws" for k in (3, 10, 30)]
    assert "log p(x), by the grid" in drawing(url)
    # Each mean lies below log p(x), further down on the sheet, and rises from the ELBO.
    elbo, truth = heights(url, TERMS["elbo"]), heights(url, "currentColor", dashed=True)
    estimates = next(line for line in heights(url, "currentColor") if len(line) == 4)
    # The legend stands on the sheet before the lines.
    assert estimates[0] == elbo[-1][0] > estimates[-1] >= truth[-1][0] - 1


def test_a_mean_that_lies_above_the_evidence_by_chance_is_within_the_picture(plane, monkeypatch):
    image = torch.rand(1, 28, 28, generator=torch.Generator().manual_seed(1))
    exact = bounds.log_evidence_grid(plane, image[None])
    monkeypatch.setattr(bounds, "log_evidence", lambda *_: exact + 50)
    url = _compare(plane, image, {"draws": 30, "seed": 0})[0]
    grid = [line[0] for line in heights(url, "currentColor") if len(line) == 2]
    estimates = next(line for line in heights(url, "currentColor") if len(line) == 4)
    assert min(grid) <= min(estimates) <= max(estimates) <= max(grid)


def drawing(url):
    return base64.b64decode(url.partition(",")[2]).decode()


def heights(url, colour, dashed=False):
    """Return the heights on the sheet of the points of each line of a colour."""
    look = f'stroke="{colour}" stroke-width="1.5"{" stroke-dasharray" if dashed else ""}'
    lines = re.findall(f'<path d="M([^"]*)" {look}', drawing(url))
    return [[float(y) for y in line.split()[1::2]] for line in lines]


def test_the_bounds_follow_the_drawing(plane):
    examples = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    mu = torch.randn(9, 2, generator=torch.Generator().manual_seed(2))
    found = widgets(live.evidence_of_drawing(plane, mu, None, examples, alt="Bounds."))
    before = found["HTML 2"].value, found["HTML 3"].value
    press(found, "compare")
    assert (found["HTML 2"].value, found["HTML 3"].value) == before
    drawn = torch.zeros(28, 28, dtype=torch.uint8)
    drawn[4:24, 13:15] = 255
    found["LiveWidget"].drawn = base64.b64encode(drawn.numpy().tobytes()).decode()
    press(found, "compare")
    assert found["HTML"].value == ""
    assert found["HTML 2"].value != before[0]
    assert found["HTML 3"].value != before[1]


def clouds():
    labels = torch.arange(90) % 3
    noise = torch.randn(90, 5, generator=torch.Generator().manual_seed(0))
    return noise + 20.0 * torch.eye(5)[labels], labels


def test_an_embedding_is_drawn_again_as_it_is_wanted():
    found = widgets(live.embed_again(*clouds(), alt="Three islands."))
    before = found["HTML 2"].value, found["HTML 3"].value
    press(found, "embed again")
    assert (found["HTML 2"].value, found["HTML 3"].value) == before
    found["perplexity"].value = 2
    press(found, "embed again")
    assert found["HTML 3"].value != before[1]
    assert "90 codes by t-SNE at perplexity 30" in before[1]
    assert "90 codes by t-SNE at perplexity 2 " in found["HTML 3"].value


def test_clouds_far_apart_keep_their_neighbours():
    words = _embed(*clouds(), ("a", "b", "c"), {"perplexity": 15, "seed": 0}).table
    kept = float(re.search("trustworthiness.*?<td>([^<]*)", words).group(1))
    assert kept > 0.85  # of at most 1


@pytest.mark.parametrize(
    ("mu", "labels", "message"),
    [
        (torch.zeros(40, 2), torch.arange(40) % 3, "mu must"),
        (torch.zeros(60, 2), torch.arange(60) % 2, r"three classes or more.*got \[0, 1\]"),
        (torch.zeros(60, 2), torch.arange(60) % 12, "have names, got"),
    ],
)
def test_codes_that_make_no_islands_are_refused(mu, labels, message):
    with pytest.raises(ValueError, match=message):
        live.embed_again(mu, labels, alt="x")


def test_a_figure_of_widgets_needs_a_description():
    with pytest.raises(ValueError, match="alt"):
        live.embed_again(*clouds(), alt="")
