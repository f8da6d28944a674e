"""What the page computes of a codebook, in node, against the package, and what it is given."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from vaebook import live
from vaebook.live.bundle import SCRIPTS, bundle
from vaebook.models import VAE, Bernoulli, codebooks
from vaebook.models.networks import MLPDecoder, MLPEncoder

EXTENT = 3.0


def drawn() -> tuple[Tensor, Tensor]:
    """Codes, and seven vectors, the last of which is far from all of them."""
    generator = torch.Generator().manual_seed(0)
    codes = torch.randn(200, 2, generator=generator).clamp(-2, 2)
    vectors = torch.cat([codes[:6] + 0.1, torch.tensor([[2.99, 2.99]])])
    return codes, vectors


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Callable[[str], str]], Any]:
    """What the page's functions return, asked once."""
    folder = tmp_path_factory.mktemp("cells")
    entry = folder / "entry.js"
    scripts = os.path.relpath(SCRIPTS, folder.resolve())
    entry.write_text(
        f'import {{ cell, lloyd, owners, restart, usage }} from "{scripts}/cells.js";\n'
        f'import {{ Random }} from "{scripts}/random.js";\n'
    )
    kept: dict[str, Any] = {}

    def ask(node: Callable[[str], str]) -> Any:
        if not kept:
            codes, vectors = drawn()
            given = {"codes": codes.flatten().tolist(), "vectors": vectors.tolist()}
            program = f"""(() => {{
              const {{ codes, vectors }} = given;
              return {{
                owners: [...owners(codes, vectors)],
                usage: usage(codes, vectors),
                lloyd: lloyd(codes, vectors),
                restarted: restart(codes, vectors, new Random(1)),
                all: restart(
                  codes.slice(0, 12),
                  [...vectors.slice(1).map(() => [99, 99]), [0, 0]],
                  new Random(1),
                ),
                cells: vectors.map((_, k) => cell(vectors, k, {EXTENT})),
                twice: cell([[1, 1], [1, 1]], 0, {EXTENT}),
              }};
            }})()"""
            script = f"const given = {json.dumps(given)};\n{bundle(str(entry))}"
            kept["found"] = json.loads(node(f"{script}\nconsole.log(JSON.stringify({program}));"))
        return kept["found"]

    return ask


@pytest.mark.slow
def test_the_page_knows_owners_usage_and_a_step_of_k_means(
    found: Any, node: Callable[[str], str]
) -> None:
    page, (codes, vectors) = found(node), drawn()
    indices = codebooks.nearest(codes, vectors)
    assert page["owners"] == indices.tolist()
    counts = indices.bincount(minlength=7)
    assert page["usage"]["counts"] == counts.tolist()
    assert counts[6] == 0
    distance = (codes - vectors[indices]).square().sum(1).mean()
    assert page["usage"]["distance"] == pytest.approx(distance.item(), rel=1e-5)
    effective = torch.tensor(page["usage"]["entropy"]).exp()
    torch.testing.assert_close(effective, codebooks.perplexity(counts.float()))
    torch.testing.assert_close(torch.tensor(page["lloyd"]), codebooks.lloyd(codes, vectors))


@pytest.mark.slow
def test_only_a_dead_vector_is_restarted_and_on_a_code(
    found: Any, node: Callable[[str], str]
) -> None:
    codes, vectors = drawn()
    restarted = torch.tensor(found(node)["restarted"])
    torch.testing.assert_close(restarted[:6], vectors[:6])
    assert (restarted[6] - codes).abs().sum(1).min() < 1e-5
    # Six dead vectors and as few codes: each has one to itself.
    six = torch.tensor(found(node)["all"])[:6]
    torch.testing.assert_close(six.unique(dim=0), codes[:6].unique(dim=0))


@pytest.mark.slow
def test_cells_cover_the_square_and_hold_what_is_nearest(
    found: Any, node: Callable[[str], str]
) -> None:
    page, (_, vectors) = found(node), drawn()
    area = 0.0
    for k, corners in enumerate(page["cells"]):
        cell = torch.tensor(corners, dtype=torch.float64)
        following = cell.roll(-1, 0)
        cross = cell[:, 0] * following[:, 1] - cell[:, 1] * following[:, 0]
        area += cross.sum().item() / 2
        # A little inside of each corner the vector of the cell is the nearest.
        inside = (0.999 * cell + 0.001 * cell.mean(0)).float()
        assert (codebooks.nearest(inside, vectors) == k).all()
    assert area == pytest.approx((2 * EXTENT) ** 2, rel=1e-6)
    assert len(page["twice"]) == 4


def figure(**changes: Any) -> live.Live:
    torch.manual_seed(0)
    model = VAE(MLPEncoder(4, (8,)), MLPDecoder(2, (8,)), 2, Bernoulli())
    codes, vectors = drawn()
    given = {"model": model, "vectors": vectors[:6], "mu": codes, "alt": "Cells."}
    return live.codebook(**(given | changes))


def test_the_figure_carries_its_vectors_and_one_decoder() -> None:
    shown = figure()
    expected = drawn()[1][:6]
    torch.testing.assert_close(
        torch.tensor(shown.config["vectors"]), expected, atol=1e-3, rtol=1e-3
    )
    assert set(shown.models) == {shown.config["model"]}


def test_what_does_not_fit_is_refused_by_name() -> None:
    wrong = {
        "vectors must be 2 to 32": {"vectors": torch.zeros(1, 2)},
        "vectors must lie within": {"vectors": torch.full((2, 2), 99.0)},
        r"vectors must be .*2\]": {"vectors": torch.zeros(3, 3)},
    }
    for words, changes in wrong.items():
        with pytest.raises(ValueError, match=words):
            figure(**changes)


def test_the_name_of_an_axis_steps_along_the_edge_and_off_all_that_is_taken(
    node: Callable[[str], str], tmp_path: Path
) -> None:
    entry = tmp_path / "entry.js"
    scripts = os.path.relpath(SCRIPTS, tmp_path.resolve())
    entry.write_text(f'import {{ beside }} from "{scripts}/plane.js";\n')
    corner = [[330, 340], [302, 335], [330, 300], [20, 345]]
    program = f"""console.log(JSON.stringify([
      beside(340, 330, -40, []),
      beside(340, 330, -40, {corner}),
      beside(10, 12, 40, [[25, 20], [200, 12]]),
      beside(340, 330, -40, [[20, 330], [320, 200]]),
    ]))"""
    free, stepped, right, far = json.loads(node(f"{bundle(str(entry))}\n{program}"))
    assert free == far == 340 - 20
    assert all(abs(x - stepped) >= 33 or y == 300 for x, y in corner)  # half of 40 and of 26
    assert stepped < 302
    assert right == 25 + 13 + 20
