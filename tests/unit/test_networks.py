"""The networks: shapes, gradients and refusals over their whole range of settings."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from vaebook.models.networks import ConvDecoder, ConvEncoder, MLPDecoder, MLPEncoder

ENCODERS = [
    lambda: MLPEncoder(4),
    lambda: MLPEncoder(7, hidden=(), image_size=5),
    lambda: MLPEncoder(1, hidden=(3, 5, 7), image_size=9),
    lambda: ConvEncoder(4),
    lambda: ConvEncoder(32, channels=(16, 32), hidden=128, image_size=28),
    lambda: ConvEncoder(2, channels=(3, 5), strides=(2, 1), image_size=20),
    lambda: ConvEncoder(2, channels=(3,), strides=(3,), image_size=7),
]
DECODERS = [
    lambda: MLPDecoder(2),
    lambda: MLPDecoder(3, hidden=(), image_size=5),
    lambda: MLPDecoder(1, hidden=(7, 5), image_size=9),
    lambda: ConvDecoder(3),
    lambda: ConvDecoder(16, channels=(16, 8), hidden=128, image_size=28),
    lambda: ConvDecoder(2, channels=(5,), image_size=6),
    lambda: ConvDecoder(2, channels=(6, 5, 4), image_size=24),
]


def pixels(network, n):
    return torch.rand(n, 1, network.image_size, network.image_size)


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
    assert_gradients_reach_every_parameter(network, network(pixels(network, 20)))


@pytest.mark.parametrize("make", DECODERS)
def test_gradients_reach_every_parameter_of_a_decoder(make):
    torch.manual_seed(0)
    network = make()
    assert_gradients_reach_every_parameter(network, network(torch.randn(20, network.latent_dim)))


@given(
    out_features=st.integers(1, 9),
    hidden=st.lists(st.integers(1, 20), max_size=3),
    size=st.integers(1, 12),
    n=st.integers(0, 3),
)
def test_an_mlp_maps_images_of_any_size_to_codes_and_back(out_features, hidden, size, n):
    codes = MLPEncoder(out_features, hidden, size)(torch.rand(n, 1, size, size))
    assert codes.shape == (n, out_features)
    assert MLPDecoder(out_features, hidden, size)(codes).shape == (n, 1, size, size)


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
    size=st.integers(1, 40),
)
def test_conv_blocks_either_fit_the_image_or_are_refused_at_once(blocks, size):
    channels, strides = zip(*blocks, strict=True)
    # By the definition of the layers: same-padded convolution, then 2 × 2 pooling.
    side = size
    for stride in strides:
        side = len(range(0, side, stride)) // 2
    if side == 0:
        with pytest.raises(ValueError, match=rf"leave no pixel of {size}"):
            ConvEncoder(2, channels, strides, image_size=size)
        return
    encoder = ConvEncoder(2, channels, strides, image_size=size)
    assert encoder(torch.rand(2, 1, size, size)).shape == (2, 2)


@given(
    latent_dim=st.integers(1, 9),
    channels=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    size=st.integers(1, 40),
)
def test_transposed_blocks_give_the_image_size_or_are_refused_at_once(latent_dim, channels, size):
    factor = 2 ** len(channels)
    if size % factor:
        with pytest.raises(ValueError, match=rf"multiple of {factor}, got {size}"):
            ConvDecoder(latent_dim, channels, image_size=size)
        return
    decoder = ConvDecoder(latent_dim, channels, image_size=size)
    assert decoder(torch.randn(2, latent_dim)).shape == (2, 1, size, size)


def test_a_conv_block_is_convolution_relu_and_max_pool():
    kinds = [type(layer) for layer in ConvEncoder(2, channels=(4, 8), image_size=28).blocks]
    assert kinds == 2 * [nn.Conv2d, nn.ReLU, nn.MaxPool2d]


def test_strides_and_channels_must_fit_each_other():
    with pytest.raises(ValueError, match=r"strides must have 2 entries, got \[1\]"):
        ConvEncoder(2, channels=(4, 8), strides=(1,))
    for network in (ConvEncoder, ConvDecoder):
        with pytest.raises(ValueError, match="channels must name at least one block"):
            network(2, channels=())


@pytest.mark.parametrize("make", [MLPEncoder, ConvEncoder])
@pytest.mark.parametrize("shape", [(5, 28, 28), (5, 1, 28, 27), (5, 3, 28, 28), (28, 28)])
def test_an_encoder_refuses_images_of_another_shape(make, shape):
    with pytest.raises(ValueError, match=r"images must be \[N, 1, 28, 28\], got \["):
        make(2, image_size=28)(torch.zeros(shape))


@pytest.mark.parametrize("make", [MLPDecoder, ConvDecoder])
@pytest.mark.parametrize("shape", [(5, 2), (3,), (5, 3, 1)])
def test_a_decoder_refuses_codes_of_another_shape(make, shape):
    with pytest.raises(ValueError, match=r"z must be \[N, 3\], got \["):
        make(3, image_size=28)(torch.zeros(shape))
