"""The parts of StyleGAN2 against the paper's formulas."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.families._equalised import EqualConv2d, EqualLinear, Resampled
from bench.families._stylegan2 import Mapping, MinibatchStdDev, ModulatedConv2d
from tests.small.gan import model


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("rate", [1.0, 0.01])
def test_a_linear_layer_scales_its_weight_when_it_is_used(rate: float) -> None:
    layer, given = EqualLinear(400, 300, bias=0.5, rate=rate), torch.randn(200, 400)
    assert layer.raw.std().item() * rate == pytest.approx(1, abs=0.01)
    assert layer.weight.std().item() == pytest.approx(1 / math.sqrt(400), rel=0.01)
    assert torch.allclose(layer(given), given @ (layer.raw * rate / 20).T + 0.5, atol=1e-4)
    assert layer(given).var().item() == pytest.approx(1, abs=0.03), "the variance stays what it was"
    layer(given).sum().backward()
    assert layer.raw.grad is not None
    assert torch.allclose(layer.raw.grad[0], given.sum(0) * rate / 20, atol=1e-3)


def test_a_convolution_scales_its_weight_by_its_fan_in() -> None:
    layer = EqualConv2d(16, 64, 3, padding=1)
    assert set(dict(layer.named_parameters())) == {"raw", "bias"}
    assert torch.allclose(layer.weight, layer.raw / math.sqrt(16 * 9))
    assert layer(torch.randn(20, 16, 20, 20))[..., 1:-1, 1:-1].var().item() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("size", [0.1, 1.0, 30.0])
def test_demodulated_kernels_have_unit_norm_whatever_the_style(size: float) -> None:
    layer, w, features = ModulatedConv2d(8, 5, 3, 4), size * torch.randn(6, 4), torch.randn(6, 8, 9, 9)
    kernels = layer.conv.weight * layer.affine(w)[:, None, :, None, None]  # the paper's way: a kernel for each row
    kernels = kernels / (kernels.square().sum((2, 3, 4), keepdim=True) + 1e-8).sqrt()
    assert torch.allclose(kernels.flatten(2).norm(dim=2), torch.ones(6, 5), atol=1e-4)
    wanted = torch.cat([F.conv2d(row[None], kernel, padding=1) for row, kernel in zip(features, kernels, strict=True)])
    assert torch.allclose(layer(features, w), wanted, atol=1e-4)


def test_without_demodulation_a_style_scales_the_outcome() -> None:
    layer, features = ModulatedConv2d(8, 1, 1, 4, demodulate=False), torch.randn(2, 8, 4, 4)
    with torch.no_grad():
        layer.affine.bias.zero_()
    w = torch.randn(2, 4)
    assert torch.allclose(layer(features, 3 * w), 3 * layer(features, w), atol=1e-5)


def test_minibatch_standard_deviation() -> None:
    """Rows i, i + groups, … are a group; of x - d and x + d the standard deviation is d."""
    base, apart = torch.randn(2, 3, 4, 4), torch.tensor([0.5, 2.0]).view(2, 1, 1, 1)
    seen = MinibatchStdDev(2)(torch.cat([base - apart, base + apart]))
    assert seen.shape == (4, 4, 4, 4)
    for row, spread in enumerate([0.5, 2.0, 0.5, 2.0]):
        assert torch.allclose(seen[row, 3], torch.full((4, 4), spread), atol=1e-4)
    assert torch.equal(seen[:, :3], torch.cat([base - apart, base + apart]))


@pytest.mark.parametrize(("rows", "groups"), [(1, 1), (3, 1), (5, 5), (6, 2), (8, 2)])
def test_any_number_of_rows_falls_into_groups(rows: int, groups: int) -> None:
    seen = MinibatchStdDev(4)(torch.randn(rows, 2, 4, 4))[:, 2, 0, 0]
    assert len(seen.unique()) == min(groups, rows) or (seen < 1e-3).all(), "a row alone differs from nothing"


def by_hand(images: Tensor, up: int, down: int, pad: tuple[int, int]) -> Tensor:
    """StyleGAN2's upfirdn2d with the kernel [1, 3, 3, 1], of one channel."""
    rows, _, height, width = images.shape
    spread = images.new_zeros(rows, 1, height * up, width * up)
    spread[..., ::up, ::up] = images
    line = torch.tensor([1.0, 3, 3, 1]) / 8 * up
    return F.conv2d(F.pad(spread, (*pad, *pad)), torch.outer(line, line)[None, None])[..., ::down, ::down]


@pytest.mark.parametrize(
    ("how", "up", "down", "pad"), [("double", 2, 1, (2, 1)), ("halve", 1, 2, (1, 1)), ("blur", 1, 1, (2, 2))]
)
def test_resampling_filters_as_the_paper_does(how: Any, up: int, down: int, pad: tuple[int, int]) -> None:
    images = torch.randn(3, 5, 8, 8)
    wanted = by_hand(images.reshape(15, 1, 8, 8), up, down, pad)
    assert torch.allclose(Resampled(how)(images), wanted.view(3, 5, *wanted.shape[2:]), atol=1e-6)


def test_doubling_is_bilinear_within_the_borders() -> None:
    images = torch.randn(2, 3, 8, 8)
    bilinear = F.interpolate(images, scale_factor=2, mode="bilinear", align_corners=False)
    assert torch.allclose(Resampled("double")(images)[..., 1:-1, 1:-1], bilinear[..., 1:-1, 1:-1], atol=1e-6)


def test_the_mapping_network_looks_at_the_direction_of_a_latent() -> None:
    mapping: Any = model().network.mapping
    assert isinstance(mapping, Mapping)
    latents = torch.randn(4, 6)
    assert torch.allclose(mapping(latents), mapping(5 * latents), atol=1e-5)


def test_noise_enters_at_its_strength() -> None:
    network, latents = model().network, torch.randn(2, 6)
    noise = torch.randn(2, network.noise_width)
    assert not torch.allclose(network(latents, noise), network(latents))
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(getattr(layer, "noise_strength", None), nn.Parameter):
                layer.noise_strength.zero_()
    assert torch.allclose(network(latents, noise), network(latents), atol=1e-6)


def test_truncated_to_nothing_all_images_are_that_of_the_mean_style() -> None:
    network, known, latents = model().network, torch.randn(50, 6), torch.randn(4, 6)
    given = torch.cat([known, latents])
    alike = network(given, psi=0.0, about=50)
    assert torch.allclose(alike, alike[:1].expand_as(alike), atol=1e-6)
    assert torch.allclose(network(given, psi=1.0, about=50), network(latents), atol=1e-5)
    half, styles = network(given, psi=0.5, about=50, with_styles=True)
    own = network.mapping(latents)
    assert torch.allclose(styles, (own + network.mapping(known).mean(0)) / 2, atol=1e-6)
    assert half.shape == (4, 1, 8, 8)
