"""Models of one's own, saved and loaded: what comes back, and what is refused."""

import copy
import json
import pickle
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import nn

from vaebook import datasets, models, objectives, recipes
from vaebook.datasets import ImageSet
from vaebook.latent import diffusion
from vaebook.models import discrete, learned_priors, networks, priors
from vaebook.models.discrete import VQVAE, CategoricalVAE
from vaebook.models.latent import Codes
from vaebook.models.networks import ConvDecoder, ConvEncoder, MLPDecoder, MLPEncoder
from vaebook.recipes import Snapshots, Trained
from vaebook.recipes.structure import build, structure_of
from vaebook.training import History, fit

SHAPE = (3, 9, 12)
IMAGES = ImageSet(
    torch.rand(24, *SHAPE, generator=torch.Generator().manual_seed(0)),
    torch.arange(24) % 2,
    names=("cats", "dogs"),
)


def vae(likelihood=None, prior=None, kind="mlp", n_classes=0):
    if n_classes:
        encoder, decoder = MLPEncoder(4, (5,), SHAPE), MLPDecoder(2 + n_classes, (5,), SHAPE)
    else:
        encoder, decoder = networks.for_images(SHAPE, 2, kind)
    likelihood = models.Bernoulli() if likelihood is None else likelihood
    return models.VAE(encoder, decoder, 2, likelihood, prior, n_classes)


def vamp():
    encoder = MLPEncoder(4, (5,), SHAPE)
    prior = learned_priors.VampPrior(encoder, 2, torch.rand(3, *SHAPE))
    return models.VAE(encoder, MLPDecoder(2, (5,), SHAPE), 2, models.Bernoulli(), prior)


MODELS = {
    "mlp": vae,
    "cnn": lambda: vae(kind="cnn"),
    "told": lambda: vae(n_classes=2),
    "odd": lambda: models.VAE(
        MLPEncoder(4, (), SHAPE, "torch"),
        ConvDecoder(2, (3, 5, 2), 7, SHAPE),
        2,
        models.Gaussian(0.3),
    ),
    "strided": lambda: models.VAE(
        ConvEncoder(4, (3, 2), (2, 1), 6, SHAPE),
        MLPDecoder(2, (4, 3), SHAPE),
        2,
        models.Gaussian(),
    ),
    "learned": lambda: vae(models.LearnedGaussian(0.2)),
    "optimal": lambda: vae(models.OptimalGaussian(0.2)),
    "constrained": lambda: vae(models.ConstrainedGaussian(0.2)),
    "geco": lambda: vae(models.GecoGaussian(0.2, step=0.002)),
    "diagonal": lambda: vae(prior=priors.DiagonalNormal(torch.randn(2), torch.randn(2))),
    "full": lambda: vae(
        prior=priors.FullNormal(torch.randn(2), torch.tensor([[1.3, 0.7], [0.7, 0.9]]))
    ),
    "mixture": lambda: vae(
        prior=priors.Mixture(
            torch.randn(3, 2), torch.randn(3, 2), torch.tensor([0.2, 0.3, 0.5])
        )
    ),
    "learned mixture": lambda: vae(
        prior=learned_priors.LearnedMixture(torch.randn(3, 2), torch.randn(3, 2))
    ),
    "flow": lambda: vae(prior=learned_priors.Flow(2, 1, (4,))),
    "vamp": lambda: vamp(),
    "autoencoder": lambda: models.Autoencoder(
        MLPEncoder(2, (5,), SHAPE), MLPDecoder(2, (5,), SHAPE), 2, models.Gaussian(0.5)
    ),
    "categories": lambda: CategoricalVAE(
        MLPEncoder(3, (5,), SHAPE), MLPDecoder(3, (5,), SHAPE), 3, models.Bernoulli()
    ),
    "codebook": lambda: VQVAE(
        MLPEncoder(4, (5,), SHAPE), MLPDecoder(4, (5,), SHAPE),
        torch.randn(6, 2), 2, models.Gaussian(0.2),
    ),
    "double": lambda: vae().double(),
}  # fmt: skip


def state(model):
    return {name: tensor.numpy().tobytes() for name, tensor in model.state_dict().items()}


def trained(model, epochs=2, images=IMAGES):
    objective = objectives.negative_elbo
    if isinstance(model, models.Autoencoder):
        objective = objectives.reconstruction_only
    if isinstance(model, CategoricalVAE):
        objective = objectives.categorical_elbo
    if isinstance(model, VQVAE):
        objective = objectives.quantized
    history = fit(model, objective, images, images, epochs=epochs, batch_size=8, progress=False)
    return Trained(model, history, {"names": list(images.names)}, model.codes(images))


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_what_is_loaded_is_what_was_saved_to_the_last_bit(name, tmp_path):
    torch.manual_seed(0)
    mine = trained(MODELS[name]())
    recipes.save(mine, tmp_path / "mine.safetensors")
    again = recipes.load(tmp_path / "mine.safetensors")
    assert state(again.model) == state(mine.model)
    assert repr(again.model) == repr(mine.model)
    assert again.history == mine.history
    assert again.card == {"names": ["cats", "dogs"]}
    for found, expected in ((again.codes, mine.codes), (again.model.codes(IMAGES), mine.codes)):
        assert torch.equal(found.mu, expected.mu)
        assert torch.equal(found.labels, expected.labels)
        if expected.logvar is not None:
            assert torch.equal(found.logvar, expected.logvar)
    z, labels = mine.codes.mu, IMAGES.labels if name == "told" else None
    with torch.no_grad():
        assert torch.equal(again.model.decode(z, labels), mine.model.decode(z, labels))
    assert not any(module.training for module in again.model.modules())
    assert not any(parameter.requires_grad for parameter in again.model.parameters())


@pytest.mark.slow
def test_the_prior_comes_back_with_its_density(tmp_path):
    for name in ("diagonal", "full", "mixture"):
        mine = trained(MODELS[name]())
        recipes.save(mine, tmp_path / "mine.safetensors")
        z = torch.randn(7, 2)
        again = recipes.load(tmp_path / "mine.safetensors")
        assert torch.equal(again.model.prior.log_prob(z), mine.model.prior.log_prob(z))


def test_a_codebook_comes_back_with_its_vectors(tmp_path):
    mine = trained(MODELS["codebook"]())
    recipes.save(mine, tmp_path / "mine.safetensors")
    again = recipes.load(tmp_path / "mine.safetensors").model
    assert torch.equal(again.codebook, mine.model.codebook)
    assert torch.equal(again.indices(IMAGES.images), mine.model.indices(IMAGES.images))


def test_a_classifier_and_codes_without_labels_or_spread_come_back(tmp_path):
    classifier = models.Classifier(MLPEncoder(5, (4,), SHAPE), 5, 3).eval()
    mine = Trained(classifier, History(), {}, classifier.codes(IMAGES.images))
    recipes.save(mine, tmp_path / "mine.safetensors")
    again = recipes.load(tmp_path / "mine.safetensors")
    assert torch.equal(again.model(IMAGES.images), classifier(IMAGES.images))
    assert (again.codes.labels, again.codes.logvar) == (None, None)
    assert (again.history, again.card, again.snapshots) == (History(), {}, None)


def test_what_a_recipe_has_made_is_saved_with_its_card_and_snapshots(tmp_path):
    mine = recipes.load("digits-mlp-2d")
    mine = mine._replace(
        snapshots=Snapshots(torch.tensor([0, 9]), torch.randn(2, 5, 2), mine.codes.labels[:5])
    )
    recipes.save(mine, str(tmp_path / "new" / "digits.safetensors"))
    again = recipes.load(str(tmp_path / "new" / "digits.safetensors"))
    assert again.card == mine.card
    assert again.history == mine.history
    for found, expected in zip(again.snapshots, mine.snapshots, strict=True):
        assert torch.equal(found, expected)
    # What is loaded can be saved again: the same file.
    recipes.save(again, tmp_path / "again.safetensors")
    first, second = tmp_path / "new" / "digits.safetensors", tmp_path / "again.safetensors"
    assert load_tensors(first.read_bytes()).keys() == load_tensors(second.read_bytes()).keys()
    assert state(recipes.load(second).model) == state(mine.model)


@pytest.mark.slow
def test_another_session_loads_it_with_its_own_default_dtype_and_seed(tmp_path):
    mine = trained(vae(kind="cnn"))
    path = tmp_path / "mine.safetensors"
    recipes.save(mine, path)
    code = (
        "import sys, torch; from vaebook import recipes; torch.manual_seed(7);"
        "before = torch.get_rng_state(); trained = recipes.load(sys.argv[1]);"
        "assert torch.equal(before, torch.get_rng_state());"
        "print(trained.model.decode(trained.codes.mu).double().sum().item())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    with torch.no_grad():
        expected = mine.model.decode(mine.codes.mu).double().sum().item()
    assert float(done.stdout) == pytest.approx(expected, rel=1e-6)


def test_saving_leaves_the_model_as_it_was(tmp_path):
    mine = trained(vae())
    mine.model.train()
    recipes.save(mine, tmp_path / "mine.safetensors")
    assert mine.model.training
    assert all(parameter.requires_grad for parameter in mine.model.parameters())


def test_the_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "mine.safetensors"
    for kind in ("mlp", "cnn"):
        recipes.save(trained(vae(kind=kind), 1), path)
    assert type(recipes.load(path).model.encoder) is ConvEncoder
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


# ---------------------------------------------------------------------------------------------
# What is refused


class Own(MLPEncoder):
    pass


def swapped():
    model = vae()
    model.encoder.layers[1] = nn.Tanh()
    return model


def shortened():
    model = vae()
    model.decoder.layers = nn.Sequential(nn.Linear(2, 5), nn.Tanh())
    return model


def hollow():
    model = vae()
    model.encoder.layers = nn.Sequential(nn.Flatten(), nn.ReLU())
    return model


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: vae().encoder.layers, "got Sequential: save the weights of your own"),
        (lambda: models.VAE(Own(4), MLPDecoder(2), 2, models.Bernoulli()), "got Own"),
        (
            lambda: vae(prior=priors.ConditionalShift(2, 1.0, lambda x: x.mean((1, 2, 3)))),
            "got ConditionalShift",
        ),
        (swapped, "one that was changed afterwards"),
        (shortened, "one that was changed afterwards"),
        (hollow, "MLPEncoder whose layers were changed"),
        (lambda: None, "model must be a Module, got NoneType"),
    ],
)
def test_a_model_that_a_file_cannot_describe_is_refused(model, message, tmp_path):
    mine = Trained(model(), History(), {}, models.Codes(torch.zeros(3, 2)))
    with pytest.raises(ValueError, match=message):
        recipes.save(mine, tmp_path / "mine.safetensors")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"card": {"names": {1, 2}}}, "trained.card must be what JSON can hold"),
        ({"card": {"loss": float("nan")}}, "trained.card must be what JSON can hold"),
        ({"card": None}, "trained.card must be a Mapping, got NoneType"),
        ({"history": {}}, "trained.history must be a History, got dict"),
        ({"codes": torch.zeros(3, 2)}, "trained.codes must be a Codes, got Tensor"),
        (
            {"codes": models.Codes(torch.tensor([[0.0, float("inf")]]))},
            "finite numbers, got others in codes.mu",
        ),
    ],
)
def test_parts_that_are_none_are_refused_by_name(parts, message, tmp_path):
    mine = Trained(vae(), History(), {}, models.Codes(torch.zeros(3, 2)))
    with pytest.raises(ValueError, match=message):
        recipes.save(mine._replace(**parts), tmp_path / "mine.safetensors")


def test_weights_that_are_not_finite_are_refused(tmp_path):
    mine = Trained(vae(), History(), {}, models.Codes(torch.zeros(3, 2)))
    with torch.no_grad():
        mine.model.decoder.layers[0].bias[0] = float("nan")
    with pytest.raises(ValueError, match=r"got others in model.decoder.layers.0.bias"):
        recipes.save(mine, tmp_path / "mine.safetensors")


@pytest.mark.parametrize("name", ["mine", "mine.pt", "mine.json", ".safetensors"])
def test_a_path_of_another_ending_is_refused(name, tmp_path):
    with pytest.raises(ValueError, match=r"path must end in '.safetensors', got"):
        recipes.save(
            Trained(vae(), History(), {}, models.Codes(torch.zeros(3, 2))), tmp_path / name
        )


@pytest.fixture
def path(tmp_path):
    mine = Trained(vae(), History(), {}, models.Codes(torch.zeros(3, 2)))
    recipes.save(mine, tmp_path / "mine.safetensors")
    return tmp_path / "mine.safetensors"


def rewritten(path, change):
    """Change what stands in the header, and write the file again."""
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["vaebook"])
    change(header)
    path.write_bytes(save_tensors(load_tensors(content), {"vaebook": json.dumps(header)}))


def test_a_file_that_is_missing_cut_off_or_altered_is_refused(path, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone.safetensors does not exist: recipes.save"):
        recipes.load(tmp_path / "gone.safetensors")
    whole = path.read_bytes()
    for end in (0, 7, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(ValueError, match=r"mine.safetensors is no file of tensors"):
            recipes.load(path)
    altered = bytearray(whole)
    altered[-100] ^= 1
    path.write_bytes(altered)
    with pytest.raises(ValueError, match=r"does not match its sum, .*: it is damaged"):
        recipes.load(path)


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (["model", "arguments", "decoder", "arguments", "hidden"], [9], "size mismatch"),
        (["model", "arguments", "n_classes"], 3, "another fingerprint, by vaebook"),
        (["model", "class"], "Autoencoder", "structure must be that of a model"),
        (["model", "class"], "os.system", "structure must be that of a model"),
        (["model"], None, "structure must be a Module, got NoneType"),
        (["model", "arguments", "encoder"], "print('hello')", "structure must be that"),
        (["model", "arguments", "likelihood", "class"], "Gaussian", "variance|log_variance"),
        (["fingerprint"], "0" * 16, "another fingerprint, by vaebook"),
    ],
)
def test_a_structure_that_does_not_fit_is_refused_by_name(path, keys, value, message):
    def change(header):
        for key in keys[:-1]:
            header = header[key]
        header[keys[-1]] = value

    rewritten(path, change)
    with pytest.raises(ValueError, match=message) as caught:
        recipes.load(path)
    assert str(path) in str(caught.value)


def test_a_header_that_lacks_a_part_is_refused_by_name(path):
    rewritten(path, lambda header: header.pop("card"))
    with pytest.raises(ValueError, match=r"lacks card in its header, which recipes.save writes"):
        recipes.load(path)
    path.write_bytes(save_tensors({"weight": torch.zeros(2)}))
    with pytest.raises(ValueError, match=r"lacks best_epoch, .* recipes.train wrote is loaded by"):
        recipes.load(path)


def test_a_pickle_is_refused_and_not_run(path):
    class Bomb:
        def __reduce__(self):
            return pytest.fail, ("it was unpickled",)

    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match="is no file of tensors"):
        recipes.load(path)


def test_a_path_has_no_directory_beside_it(path):
    with pytest.raises(ValueError, match="directory must be None beside the path of a file"):
        recipes.load(path, path.parent)


# ---------------------------------------------------------------------------------------------
# Structures


@pytest.mark.parametrize("name", MODELS)
def test_a_structure_is_plain_json_from_which_the_same_model_is_built(name):
    model = MODELS[name]()
    structure = json.loads(json.dumps(structure_of(model)))
    again = build(structure)
    assert repr(again) == repr(copy.deepcopy(model).float())
    shapes = [
        {name: tensor.shape for name, tensor in one.state_dict().items()} for one in (model, again)
    ]
    assert shapes[0] == shapes[1]


def test_every_class_of_the_package_that_a_model_can_be_of_has_a_structure():
    made = [MODELS[name]() for name in MODELS] + [
        models.Classifier(MLPEncoder(5, (4,), SHAPE), 5, 3)
    ]
    kinds = {type(module) for model in made for module in model.modules()}
    known = {
        kind
        for room in (models, networks, priors, learned_priors, discrete)
        for kind in vars(room).values()
        if isinstance(kind, type)
        and issubclass(kind, nn.Module)
        and kind.__module__.startswith("vaebook.")
        and not kind.__name__.startswith("_")
    }
    abstract = {models.Likelihood, priors.Prior, priors.GaussianPrior, priors.MixturePrior}
    # Its score is a function of the reader's.
    assert known - kinds - abstract == {priors.ConditionalShift}


@pytest.mark.slow
def test_the_digits_of_another_session_are_drawn_again(tmp_path):
    digits = datasets.digits()[:128]
    model = models.VAE(*networks.for_images((1, 28, 28), 2), 2, models.Bernoulli())
    recipes.save(trained(model, 1, digits), tmp_path / "digits.safetensors")
    again = recipes.load(tmp_path / "digits.safetensors")
    assert torch.equal(again.codes.labels, digits.labels)
    assert again.card["names"] == list(digits.names)


def test_a_denoiser_is_saved_with_its_process(tmp_path):
    denoiser = diffusion.Denoiser(2, 6, n_classes=2, process=diffusion.Process(5.0, -6.0))
    mine = Trained(denoiser, History(), {"codes": "of cats"}, Codes(torch.zeros(3, 2)))
    recipes.save(mine, tmp_path / "mine.safetensors")
    again = recipes.load(tmp_path / "mine.safetensors").model
    assert again.process == denoiser.process
    told, z = torch.tensor([0, 1, -1]), torch.randn(3, 2)
    torch.testing.assert_close(again(z, 0.3, told), denoiser(z, 0.3, told), rtol=0, atol=0)
