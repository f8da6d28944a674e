"""The networks: shapes, gradients, starts and refusals over their whole range of settings."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from vaebook.models.networks import (
    ConvDecoder,
    ConvEncoder,
    MLPDecoder,
    MLPEncoder,
    for_images,
    he_,
    live_units,
)

ENCODERS = [
    lambda: MLPEncoder(4),
    lambda: MLPEncoder(7, hidden=(), shape=(3, 5, 4)),
    lambda: MLPEncoder(1, hidden=(13, 15, 17), shape=(1, 9, 9)),
    lambda: ConvEncoder(4),
    lambda: ConvEncoder(32, channels=(16, 32), hidden=128, shape=(1, 28, 28)),
    lambda: ConvEncoder(2, channels=(13, 15), strides=(2, 1), shape=(3, 20, 24)),
    lambda: ConvEncoder(2, channels=(13,), strides=(3,), shape=(1, 7, 9)),
]
DECODERS = [
    lambda: MLPDecoder(2),
    lambda: MLPDecoder(3, hidden=(), shape=(3, 5, 4)),
    lambda: MLPDecoder(1, hidden=(17, 15), shape=(1, 9, 9)),
    lambda: ConvDecoder(3),
    lambda: ConvDecoder(16, channels=(16, 8), hidden=128, shape=(1, 28, 28)),
    lambda: ConvDecoder(2, channels=(5,), shape=(3, 6, 9)),
    lambda: ConvDecoder(2, channels=(6, 5, 4), shape=(1, 24, 17)),
]
NETWORKS = [MLPEncoder, ConvEncoder, MLPDecoder, ConvDecoder]

CHANNELS = st.sampled_from([1, 3])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def assert_gradients_reach_every_parameter(network, outputs):
    # A random direction, so that no gradient is zero by symmetry.
    (outputs * torch.randn_like(outputs)).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("make", ENCODERS)
def test_gradients_reach_every_parameter_of_an_encoder(make):
    torch.manual_seed(0)
    network = make()
    assert_gradients_reach_every_parameter(network, network(torch.rand(20, *network.shape)))


@pytest.mark.parametrize("make", DECODERS)
def test_gradients_reach_every_parameter_of_a_decoder(make):
    torch.manual_seed(0)
    network = make()
    assert_gradients_reach_every_parameter(network, network(torch.randn(20, network.latent_dim)))


@given(
    out_features=st.integers(1, 9),
    hidden=st.lists(st.integers(1, 20), max_size=3),
    shape=st.tuples(CHANNELS, st.integers(1, 12), st.integers(1, 12)),
    n=st.integers(0, 3),
)
def test_an_mlp_maps_images_of_any_shape_to_codes_and_back(out_features, hidden, shape, n):
    codes = MLPEncoder(out_features, hidden, shape)(torch.rand(n, *shape))
    assert codes.shape == (n, out_features)
    assert MLPDecoder(out_features, hidden, shape)(codes).shape == (n, *shape)


def test_the_mlp_is_784_400_100_d_with_relu_between_and_nothing_after():
    encoder, decoder = MLPEncoder(4), MLPDecoder(2)
    widths = {
        network: [m.weight.shape for m in network.modules() if isinstance(m, nn.Linear)]
        for network in (encoder, decoder)
    }
    assert widths[encoder] == [(400, 784), (100, 400), (4, 100)]
    assert widths[decoder] == [(100, 2), (400, 100), (784, 400)]
    for network in (encoder, decoder):
        kinds = [type(layer) for layer in network.layers]
        assert kinds == [nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear]


@given(
    blocks=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 3)), min_size=1, max_size=4),
    shape=st.tuples(CHANNELS, st.integers(1, 40), st.integers(1, 40)),
)
def test_conv_blocks_either_fit_the_image_or_are_refused_at_once(blocks, shape):
    channels, strides = zip(*blocks, strict=True)
    # By the definition of the layers: same-padded convolution, then 2 × 2 pooling.
    sides = list(shape[1:])
    for stride in strides:
        sides = [len(range(0, side, stride)) // 2 for side in sides]
    if 0 in sides:
        with pytest.raises(ValueError, match=rf"leave no pixel of \[{shape[0]}, {shape[1]}, "):
            ConvEncoder(2, channels, strides, shape=shape)
        return
    assert ConvEncoder(2, channels, strides, shape=shape)(torch.rand(2, *shape)).shape == (2, 2)


@pytest.mark.slow
@given(
    latent_dim=st.integers(1, 9),
    channels=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    shape=st.tuples(CHANNELS, st.integers(1, 40), st.integers(1, 40)),
)
def test_transposed_blocks_reach_an_image_of_any_shape(latent_dim, channels, shape):
    decoder = ConvDecoder(latent_dim, channels, hidden=4, shape=shape)
    assert decoder(torch.randn(2, latent_dim)).shape == (2, *shape)


def test_a_conv_block_is_convolution_relu_and_max_pool():
    kinds = [type(layer) for layer in ConvEncoder(2, channels=(4, 8), shape=(1, 28, 28)).blocks]
    assert kinds == 2 * [nn.Conv2d, nn.ReLU, nn.MaxPool2d]


# ---------------------------------------------------------------------------------------------
# For images of any size


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mlp", "cnn"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("height", "width"), [(7, 7), (28, 28), (36, 36), (64, 64), (100, 100), (33, 50), (9, 200)]
)
def test_images_of_a_shape_get_networks_that_return_just_that(kind, channels, height, width):
    shape = (channels, height, width)
    encoder, decoder = for_images(torch.Size(shape), 5, kind)
    assert encoder(torch.rand(2, *shape)).shape == (2, 10)
    assert decoder(torch.randn(2, 5)).shape == (2, *shape)


@pytest.mark.slow
@given(
    shape=st.tuples(CHANNELS, st.integers(1, 70), st.integers(1, 70)),
    latent_dim=st.integers(1, 5),
    kind=st.sampled_from(["mlp", "cnn"]),
)
def test_every_shape_gets_its_networks_or_is_refused_by_name(shape, latent_dim, kind):
    if kind == "cnn" and min(shape[1:]) == 1:
        with pytest.raises(ValueError, match=r"shape must have sides of 2 or more for a CNN, got"):
            for_images(shape, latent_dim, kind)
        return
    encoder, decoder = for_images(shape, latent_dim, kind)
    codes = encoder(torch.rand(1, *shape))
    assert decoder(codes[:, :latent_dim]).shape == (1, *shape)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mlp", "cnn"])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 40, 64), (3, 7, 9)])
def test_gradients_reach_every_parameter_of_networks_for_images(kind, shape):
    torch.manual_seed(0)
    encoder, decoder = for_images(shape, 8, kind)
    assert_gradients_reach_every_parameter(encoder, encoder(torch.rand(20, *shape)))
    assert_gradients_reach_every_parameter(decoder, decoder(torch.randn(20, 8)))


@pytest.mark.slow
@pytest.mark.parametrize("side", [2, 7, 8, 9, 16, 17, 28, 32, 33, 64, 100, 129, 256])
def test_a_cnn_halves_the_sides_to_eight_pixels_or_fewer(side):
    encoder, _ = for_images((3, side, 2 * side), 8, "cnn")
    *_, height, width = encoder.blocks(torch.rand(1, 3, side, 2 * side)).shape
    assert 4 <= height <= 8 or side < 8
    assert height <= width <= 2 * height + 1
    # The finest resolution costs most, and large images would take many weights.
    assert sum(weight.numel() for weight in encoder.parameters()) < 1.2e6


def test_the_mlp_for_mnist_is_the_books():
    encoder, decoder = for_images((1, 28, 28), 2)
    assert str(encoder) == str(MLPEncoder(4))
    assert str(decoder) == str(MLPDecoder(2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((28, 28), 2), "shape must be"),
        (((2, 28, 28), 2), r"shape must be \(C, H, W\) of an image, C of 1 or 3"),
        (((5, 3, 28, 28), 2), r"shape must be \(C, H, W\)"),
        (((1, 28, 28), 0), "latent_dim must be a whole number, 1 or more"),
        (((1, 28, 28), 2, "resnet"), "kind must be 'mlp' or 'cnn', got 'resnet'"),
    ],
)
def test_networks_for_what_is_no_image_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        for_images(*arguments)


# ---------------------------------------------------------------------------------------------
# Starts


def tall(initial):
    """784 numbers through ten ReLU layers of 256."""
    torch.manual_seed(0)
    return MLPEncoder(256, hidden=(256,) * 10, initial=initial)


def test_the_signal_keeps_its_size_through_ten_layers_and_shrinks_from_torchs_start():
    images = torch.randn(1000, 1, 28, 28, generator=generator())
    sizes = {}
    for initial in ("he", "torch"):
        hidden = tall(initial).layers[:-1]  # to the last ReLU
        sizes[initial] = hidden(images.flatten(1)).square().mean().item()
    # Each layer doubles the mean square and ReLU halves it. The gain of a layer of 256 units
    # scatters by sqrt(5 / 256), that of ten by 44 %: three of these upwards, as many down.
    assert 1 / 2.4 < sizes["he"] < 2.4
    assert sizes["torch"] < 2e-3


@pytest.mark.slow
@pytest.mark.parametrize(("kernel", "stride"), [(4, 2), (3, 1), (5, 3)])
def test_the_signal_keeps_its_size_through_transposed_convolutions(kernel, stride):
    torch.manual_seed(0)
    layers = [
        layer
        for _ in range(3)
        for layer in (nn.ConvTranspose2d(64, 64, kernel, stride), nn.ReLU())
    ]
    network = nn.Sequential(*layers, nn.Conv2d(64, 1, 1))
    he_(network)
    images = torch.randn(2, 64, 16, 16, generator=generator())
    before = network[:-2](images)
    quarter = before.shape[-1] // 4  # the edges are sums of fewer
    inner = before[:, :, quarter:-quarter, quarter:-quarter]
    # Before the last ReLU, which halves it, the mean square is twice that of the images.
    assert inner.square().mean().item() == pytest.approx(2, rel=0.4)


@pytest.mark.parametrize("kind", [nn.Linear, nn.Conv2d, nn.ConvTranspose2d])
def test_the_weights_have_the_variance_of_the_formula_and_no_bias(kind):
    torch.manual_seed(0)
    settings = {"kernel_size": 4} if kind is not nn.Linear else {}
    first, last = kind(100, 120, **settings), kind(120, 110, **settings)
    network = nn.Sequential(first, nn.ReLU(), last)
    he_(network)
    for layer, gain, inputs in ((first, 2.0, 100), (last, 0.1, 120)):
        expected = gain / (inputs * (1 if kind is nn.Linear else 16))
        n = layer.weight.numel()
        # A variance of n normal numbers is good to sqrt(2 / n); 4.5 of these.
        assert layer.weight.var().item() == pytest.approx(expected, rel=4.5 * (2 / n) ** 0.5)
        assert (layer.bias == 0).all()


def test_stride_and_groups_count_in_what_an_output_is_a_sum_of():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.ConvTranspose2d(64, 64, 4, stride=2), nn.Conv2d(64, 128, 3, groups=4), nn.Linear(2, 2)
    )
    he_(network)
    assert network[0].weight.var().item() == pytest.approx(2 / (64 * 16 / 4), rel=0.05)
    assert network[1].weight.var().item() == pytest.approx(2 / (16 * 9), rel=0.05)


@pytest.mark.slow
def test_more_units_live_at_the_start_than_at_torchs():
    images = torch.rand(200, 1, 36, 36, generator=generator())
    live = {}
    for initial in ("he", "torch"):
        live[initial] = 0
        for seed in range(20):
            torch.manual_seed(seed)
            live[initial] += sum(live_units(ConvEncoder(6, initial=initial), images).values())
    # Of 4 + 8 + 16 channels and 64 units.
    assert live["he"] / 20 > live["torch"] / 20 + 8


def test_a_start_is_drawn_from_torchs_generator_and_only_two_are_known():
    def weights(seed, initial):
        torch.manual_seed(seed)
        return MLPEncoder(4, initial=initial).layers[0].weight

    for initial in ("he", "torch"):
        assert torch.equal(weights(0, initial), weights(0, initial))
        assert not torch.equal(weights(0, initial), weights(1, initial))
    assert not torch.equal(weights(0, "he"), weights(0, "torch"))
    assert torch.equal(weights(0, "torch"), (torch.manual_seed(0), nn.Linear(784, 400))[1].weight)
    for network in NETWORKS:
        with pytest.raises(ValueError, match="initial must be 'he' or 'torch', got 'xavier'"):
            network(2, initial="xavier")


def test_he_needs_a_layer():
    with pytest.raises(ValueError, match="module must have a linear or convolutional layer"):
        he_(nn.ReLU())


# ---------------------------------------------------------------------------------------------
# Live units


def test_live_units_are_those_that_fire_for_some_input():
    network = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2), nn.ReLU())
    with torch.no_grad():
        # Fires for the first input, for the second, for none; then x + y and never.
        network[0].weight.copy_(torch.tensor([[1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]))
        network[0].bias.zero_()
        network[2].weight.copy_(torch.tensor([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]))
        network[2].bias.copy_(torch.tensor([0.0, -1.0]))
    assert live_units(network, torch.tensor([[1.0, 0.0], [0.0, 1.0]])) == {"1": 2, "3": 1}
    assert live_units(network, torch.tensor([[1.0, 0.0]])) == {"1": 1, "3": 1}


def test_a_channel_lives_where_one_of_its_pixels_does():
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU())
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1))
        network[0].bias.zero_()
    images = torch.zeros(3, 1, 4, 4)
    assert live_units(network, images) == {"1": 0}
    images[2, 0, 1, 3] = 1.0
    assert live_units(network, images) == {"1": 1}


def test_counting_live_units_leaves_the_network_as_it_was():
    network = MLPEncoder(4)
    live_units(network, torch.rand(5, 1, 28, 28))
    assert not any(module._forward_hooks for module in network.modules())
    with pytest.raises(ValueError, match="images must be"):
        live_units(network, torch.rand(5, 2))
    assert not any(module._forward_hooks for module in network.modules())


def test_live_units_need_units_and_inputs():
    with pytest.raises(ValueError, match="module must have a ReLU layer"):
        live_units(nn.Linear(2, 2), torch.zeros(1, 2))
    for inputs in (torch.zeros(0, 2), [[0.0, 0.0]]):
        with pytest.raises(ValueError, match=r"inputs must be a tensor \[N, ...\] with N > 0"):
            live_units(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), inputs)


# ---------------------------------------------------------------------------------------------
# Refusals


def test_strides_and_channels_must_fit_each_other():
    with pytest.raises(ValueError, match=r"strides must have 2 entries, got \[1\]"):
        ConvEncoder(2, channels=(4, 8), strides=(1,))
    for network in (ConvEncoder, ConvDecoder):
        with pytest.raises(ValueError, match="channels must be 1 or more positive sizes"):
            network(2, channels=())


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("shape", [28, (28, 28), (2, 28, 28), (1, 0, 28), (1, 28.0, 28), "abc"])
def test_a_shape_that_is_of_no_image_is_refused(network, shape):
    with pytest.raises(ValueError, match="shape must be"):
        network(2, shape=shape)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("hidden", [-1, (0,), (4.0,), "wide", 2.5])
def test_widths_that_are_none_are_refused(network, hidden):
    with pytest.raises(ValueError, match="hidden must be"):
        network(2, hidden=hidden)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("width", [0, -1, 2.0, None])
def test_a_number_of_outputs_or_codes_that_is_none_is_refused(network, width):
    with pytest.raises(ValueError, match=r"(out_features|latent_dim) must be a whole number, 1"):
        network(width)


@pytest.mark.parametrize("make", [MLPEncoder, ConvEncoder])
@pytest.mark.parametrize("shape", [(5, 28, 28), (5, 1, 28, 27), (5, 3, 28, 28), (28, 28), ()])
def test_an_encoder_refuses_images_of_another_shape(make, shape):
    with pytest.raises(ValueError, match=r"images must be \[N, 1, 28, 28\], got \["):
        make(2, shape=(1, 28, 28))(torch.zeros(shape))


@pytest.mark.parametrize("make", [MLPDecoder, ConvDecoder])
@pytest.mark.parametrize("shape", [(5, 2), (3,), (5, 3, 1)])
def test_a_decoder_refuses_codes_of_another_shape(make, shape):
    with pytest.raises(ValueError, match=r"z must be \[N, 3\], got \["):
        make(3, shape=(1, 28, 28))(torch.zeros(shape))


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.float64, torch.float16])
def test_another_type_than_that_of_the_weights_is_refused(dtype):
    for network, name, inputs in (
        (MLPEncoder(2), "images", torch.zeros(1, 1, 28, 28)),
        (MLPDecoder(2), "z", torch.zeros(1, 2)),
    ):
        with pytest.raises(ValueError, match=rf"{name} must be torch.float32 on cpu"):
            network(inputs.to(dtype))
        with pytest.raises(ValueError, match=rf"{name} must be a tensor \[N, "):
            network(inputs.numpy())


@pytest.mark.parametrize("network", NETWORKS)
def test_a_network_of_another_type_or_on_another_device_computes_there(network):
    is_encoder = network in (MLPEncoder, ConvEncoder)
    inputs = torch.zeros((2, 1, 16, 12) if is_encoder else (2, 3), dtype=torch.float64)
    built = network(3, shape=(1, 16, 12)).double()
    assert built(inputs).dtype == torch.float64
    elsewhere = built.to("meta")(inputs.to("meta"))
    assert elsewhere.device.type == "meta"
    assert math.prod(elsewhere.shape[1:]) == (3 if is_encoder else 192)
    with pytest.raises(ValueError, match="on meta as the network is"):
        built(inputs)
