"""Packed networks: what is stored, what the page's script makes of it, and what is refused."""

import base64
import copy
import hashlib
import json
import math

import numpy as np
import pytest
import torch
from torch import nn

from vaebook import live
from vaebook.live.bundle import bundle
from vaebook.live.pack import pack_decoder, seal
from vaebook.models import VAE, Autoencoder, Bernoulli, Gaussian, LearnedGaussian, Likelihood
from vaebook.models.networks import ConvDecoder, ConvEncoder, MLPDecoder, MLPEncoder, for_images

pytestmark = pytest.mark.slow

NETWORKS: list[tuple[nn.Module, list[int]]] = [
    (MLPEncoder(4, (9, 5)), [1, 28, 28]),
    (MLPDecoder(2, (5,)), [2]),
    (ConvEncoder(6), [1, 36, 36]),
    (ConvDecoder(3), [3]),
    (ConvEncoder(4, shape=(3, 20, 13)), [3, 20, 13]),
    (ConvDecoder(3, shape=(3, 15, 20)), [3]),
]
for shape, kind in (((3, 33, 40), "cnn"), ((3, 13, 20), "mlp")):
    encoder, decoder = for_images(shape, 2, kind)
    NETWORKS += [(encoder, list(shape)), (decoder, [2])]


def stored(packed, spec):
    """The numbers of a tensor, read back by numpy."""
    data = base64.b64decode(packed["data"])
    n = int(np.prod(spec["shape"]))
    if spec["dtype"] == "float16":
        return np.frombuffer(data, "<f2", n, spec["offset"]).reshape(spec["shape"])
    rows = spec["shape"][0]
    scales = np.frombuffer(data, "<f4", rows, spec["offset"])
    values = np.frombuffer(data, "i1", n, spec["offset"] + 4 * rows).reshape(rows, -1)
    return (values * scales[:, None]).reshape(spec["shape"])


def tensors(packed):
    """What is stored of each tensor, in the order of the parameters of a network with biases."""
    return [layer[k] for layer in packed["layers"] for k in ("weight", "bias") if k in layer]


@pytest.mark.parametrize("dtype", ["float16", "int8"])
@pytest.mark.parametrize(("module", "shape"), NETWORKS, ids=lambda x: type(x).__name__)
def test_every_weight_is_stored_within_half_a_step_of_its_row(module, shape, dtype):
    packed = live.pack(module, shape, dtype)
    assert packed["input"] == shape
    parameters = list(module.parameters())
    assert len(tensors(packed)) == len(parameters)
    for spec, parameter in zip(tensors(packed), parameters, strict=True):
        found, expected = stored(packed, spec), parameter.detach().numpy()
        assert found.shape == expected.shape
        largest = np.abs(expected).max(tuple(range(1, expected.ndim)), keepdims=True)
        quantised = dtype == "int8" and expected.size >= 4096
        assert spec["dtype"] == ("int8" if quantised else "float16")
        step = largest / 254 if quantised else np.abs(expected) * 2**-11 + 2**-25
        assert (np.abs(found - expected) <= step * 1.001).all()


@pytest.mark.parametrize(("module", "shape"), NETWORKS, ids=lambda x: type(x).__name__)
def test_the_shape_of_the_output_is_torchs(module, shape):
    packed = live.pack(module, shape)
    with torch.no_grad():
        assert packed["output"] == list(module(torch.zeros(1, *shape)).shape[1:])


# ---------------------------------------------------------------------------------------------
# The script against torch


def random_network(generator: np.random.Generator) -> tuple[nn.Sequential, list[int]]:
    """Up to seven layers that fit each other, and the shape of their input."""

    def whole(low: int, high: int) -> int:
        return int(generator.integers(low, high + 1))

    shape = [whole(1, 3), whole(5, 12), whole(5, 12)] if whole(0, 1) else [whole(1, 9)]
    layers: list[nn.Module] = []
    x = torch.zeros(1, *shape)
    for _ in range(whole(2, 7)):
        bias = bool(whole(0, 1))
        kernel, stride, edge = [(whole(1, most), whole(1, most)) for most in (4, 3, 2)]
        layer: nn.Module
        if x.ndim == 2:
            layer = [
                nn.Linear(x.shape[1], whole(1, 90), bias),
                nn.SiLU(),
                nn.Linear(x.shape[1], 4 * whole(6, 12), bias),
                nn.Unflatten(1, (x.shape[1] // 4, 2, 2) if x.shape[1] % 4 == 0 else (-1, 1, 1)),
            ][whole(0, 3)]
        else:
            layer = [
                nn.Conv2d(x.shape[1], whole(1, 5), kernel, stride, edge, bias=bias),
                nn.ConvTranspose2d(x.shape[1], whole(1, 5), kernel, stride, (0, 1), bias=bias),
                nn.MaxPool2d((whole(1, 3), whole(1, 3))),
                nn.ReLU(),
                nn.Flatten(),
            ][whole(0, 4)]
        try:
            y = layer(x)
        except (RuntimeError, ValueError):  # a kernel larger than what is left of the image
            continue
        if y.numel() <= 4000:
            layers.append(layer)
            x = y.detach()
    return nn.Sequential(*layers), shape


def as_stored(module: nn.Module, packed) -> nn.Module:
    """The network with the weights that the page has."""
    module = copy.deepcopy(module)
    known = iter(tensors(packed))
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            layer.weight.data = torch.tensor(stored(packed, next(known)), dtype=torch.float32)
            bias = torch.tensor(stored(packed, next(known)), dtype=torch.float32)
            if layer.bias is not None:
                layer.bias.data = bias
            else:
                assert not bias.any()
    return module


@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_the_script_runs_random_networks_as_torch_does(node, dtype):
    generator = np.random.default_rng(0)
    torch.manual_seed(0)
    jobs, expected = [], []
    kinds: set[str] = set()
    for module, shape in [*NETWORKS, *(random_network(generator) for _ in range(150))]:
        packed = live.pack(module, shape, dtype)
        kinds |= {layer["op"] for layer in packed["layers"]}
        x = torch.randn(3, *shape)
        jobs.append({"spec": packed, "inputs": x.flatten(1).tolist()})
        with torch.no_grad():
            expected.append(as_stored(module, packed)(x).flatten(1))
    pools = {"conv", "conv_transpose", "max_pool"}
    assert kinds == {"linear", "relu", "silu", "reshape"} | pools
    program = (
        f"{bundle('network.js')}\nconst jobs = {json.dumps(jobs)};\n"
        "const run = ({ spec, inputs }) => { const net = new Network(spec);"
        " return [net.output, inputs.map((x) => [...net.run(Float32Array.from(x))])]; };\n"
        "console.log(JSON.stringify(jobs.map(run)));\n"
    )
    for (shape, found), job, wanted in zip(json.loads(node(program)), jobs, expected, strict=True):
        assert shape == job["spec"]["output"]
        scale = max(1.0, wanted.abs().max().item())
        found = torch.tensor(found, dtype=torch.float32)
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5 * scale)


def test_the_script_refuses_a_network_that_was_changed_on_its_way(node):
    name, text = seal(live.pack(MLPDecoder(2, (5,)), [2]))
    assert name == hashlib.sha256(text.encode()).hexdigest()
    flips = [text[:i] + chr(ord(text[i]) ^ 1) + text[i + 1 :] for i in range(9, len(text), 911)]
    program = (
        f"{bundle('network.js')}\nconst tries = {json.dumps([text, *flips])};\n"
        f"const alive = (text) => {{ try {{ network('{name}', text); return 'drawn'; }}"
        " catch (error) { return error.message; } finally { networks.clear(); } };\n"
        "console.log(JSON.stringify(tries.map(alive)));\n"
    )
    said = json.loads(node(program))
    assert len(flips) > 5
    assert said == ["drawn", *len(flips) * ["the weights of its model are damaged"]]


# ---------------------------------------------------------------------------------------------
# What is refused


class Doubled(MLPDecoder):
    def forward(self, z):
        return 2 * super().forward(z)


def hooked():
    layer = nn.Linear(2, 2)
    layer.register_forward_hook(lambda *_: None)
    return layer


REFUSED = {
    "Tanh": (nn.Tanh(), [2]),
    "Dropout": (nn.Sequential(nn.Linear(2, 2), nn.Dropout()), [2]),
    "BatchNorm1d": (nn.BatchNorm1d(2), [2]),
    "Doubled": (Doubled(2), [2]),
    "hooks": (hooked(), [2]),
    "ParametrizedLinear": (nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)), [2]),
    "dilation must be 1": (nn.Conv2d(1, 1, 3, dilation=2), [1, 9, 9]),
    "groups must be 1": (nn.Conv2d(2, 2, 3, groups=2), [2, 9, 9]),
    "padding_mode must be 'zeros'": (
        nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"),
        [1, 9, 9],
    ),
    "output_padding must be 0": (nn.ConvTranspose2d(1, 1, 3, 2, output_padding=1), [1, 9, 9]),
    "padding must be numbers.*padding=same": (nn.Conv2d(1, 1, 3, padding="same"), [1, 9, 9]),
    "padding must be 0": (nn.MaxPool2d(2, padding=1), [1, 9, 9]),
    "stride must be the kernel's size": (nn.MaxPool2d(2, 1), [1, 9, 9]),
    "size for the page to run it": (nn.MaxPool2d((2, 3), (2, 2)), [1, 9, 9]),
    "ceil_mode must be False": (nn.MaxPool2d(2, ceil_mode=True), [1, 9, 9]),
    "return_indices must be False": (nn.MaxPool2d(2, return_indices=True), [1, 9, 9]),
    "start_dim must be 1": (nn.Flatten(2), [1, 9, 9]),
    "dim must be 1": (nn.Unflatten(2, (3, 3)), [1, 9, 9]),
    r"gets \[1, 9, 9\]": (nn.Linear(9, 2), [1, 9, 9]),
    r"gets \[3\]": (nn.Linear(2, 2), [3]),
    r"gets \[9, 9\]": (nn.Conv2d(9, 1, 3), [9, 9]),
    r"Unflatten.* gets \[5\]": (nn.Unflatten(1, (2, 2)), [5]),
    "each entry of shape must be a whole number": (nn.Linear(2, 2), [0]),
    "shape must be the sizes of one input, got 2": (nn.Linear(2, 2), 2),
    "module must be a network, got str": ("decoder", [2]),
    "weight has others": (nn.Linear(2, 2, dtype=torch.complex64), [2]),
    "bias has others": (nn.Linear(2, 2), [2]),
    "0.weight has others": (nn.Sequential(nn.Linear(2, 2, device="meta")), [2]),
    "within 65504 to be stored as float16, got 100000": (nn.Linear(2, 2), [2]),
}
with torch.no_grad():
    REFUSED["bias has others"][0].bias[0] = math.nan
    REFUSED["within 65504 to be stored as float16, got 100000"][0].weight[0, 0] = 1e5


@pytest.mark.parametrize("message", REFUSED)
def test_what_the_script_cannot_run_is_refused_by_name(message):
    with pytest.raises(ValueError, match=message):
        live.pack(*REFUSED[message])


@pytest.mark.filterwarnings("ignore")
def test_every_other_layer_of_torch_is_refused():
    known = {"Linear", "Conv2d", "ConvTranspose2d", "MaxPool2d", "ReLU", "SiLU"}
    known |= {"Flatten", "Unflatten"}
    refused = set()
    for name in set(dir(nn)) - known - {"Sequential", "Container"}:
        kind = getattr(nn, name)
        if not isinstance(kind, type) or not issubclass(kind, nn.Module):
            continue
        for arguments in ((), (2,), (2, 2), (2, 2, 2), (2, 2, 2, 2)):
            try:
                layer = kind(*arguments)
            except (TypeError, ValueError, RuntimeError, AssertionError):
                continue
            with pytest.raises(ValueError, match=r"module must|the page"):
                live.pack(layer, [2])
            refused.add(name)
            break
    assert len(refused) > 100


def test_another_dtype_is_refused():
    with pytest.raises(ValueError, match="dtype must be 'float16' or 'int8', got 'float32'"):
        live.pack(nn.Linear(2, 2), [2], "float32")


class Squared(Likelihood):
    def mean(self, outputs):
        return outputs.square()


def test_a_decoder_comes_with_the_way_to_its_mean():
    encoder, decoder = MLPEncoder(4, (4,)), MLPDecoder(2, (4,))
    for likelihood, mean in (
        (Bernoulli(), "sigmoid"),
        (Gaussian(), "identity"),
        (LearnedGaussian(), "identity"),
    ):
        assert pack_decoder(VAE(encoder, decoder, 2, likelihood))["mean"] == mean
    with pytest.raises(ValueError, match="model must not have a Squared likelihood"):
        pack_decoder(VAE(encoder, decoder, 2, Squared()))
    with pytest.raises(ValueError, match=r"decode to \[1, H, W\] or \[3, H, W\], got \[7\]"):
        pack_decoder(Autoencoder(encoder, nn.Linear(2, 7), 2, Gaussian()))
    with pytest.raises(ValueError, match="decode codes alone, got 3 classes"):
        pack_decoder(VAE(encoder, MLPDecoder(5, (4,)), 2, Bernoulli(), n_classes=3))
    with pytest.raises(ValueError, match="model must be a VAE or an Autoencoder, got Linear"):
        pack_decoder(nn.Linear(2, 2))


def test_a_hash_is_of_the_content():
    torch.manual_seed(0)
    one, same, other = MLPDecoder(2, (9,)), MLPDecoder(2, (9,)), MLPDecoder(2, (9,))
    same.load_state_dict(one.state_dict())
    names = [seal(live.pack(module, [2]))[0] for module in (one, same, other)]
    assert names[0] == names[1] != names[2]
    assert seal(live.pack(one, [2], "float16"))[0] != names[0]
