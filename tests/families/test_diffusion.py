"""Images as rows of pixels and back, noise, DDIM, and models on disk."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler
from torch import Tensor

from bench.errors import CheckpointError, NotApplicable
from bench.families.diffusion import Diffusion
from bench.model import Batch
from tests.models import batch_of, outputs, pictures, same, saved, unet, weights

COLOURED = (8, 8, 3)


def load(folder: Path, **options: Any) -> Diffusion:
    return Diffusion.from_checkpoint(str(folder), revision=None, trust_remote_code=False, **options)


def draw(model: Diffusion, seed: int = 0) -> Tensor:
    with torch.inference_mode():
        return model.sample(batch_of(model, pictures()), torch.Generator().manual_seed(seed))["images"]


# Encoding -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(8, 8, 1), COLOURED, (8, 16, 1), (16, 8, 3)])
def test_decoding_undoes_encoding(shape: tuple[int, int, int]) -> None:
    model, items = unet(shape), pictures(shape=shape).test
    rows = model.encode(items)
    assert rows["images"].shape == (len(items), shape[2], *shape[:2])
    assert np.array_equal(model.decode(rows), items)
    batch = model.collate(rows, torch.arange(len(items)))
    assert batch["images"].min() >= -1
    assert batch["images"].max() <= 1
    assert np.array_equal(model.decode(batch), items), "to -1…1 and back"


def test_colour_to_grey_is_the_mean_and_grey_to_colour_a_copy() -> None:
    coloured, grey = pictures(shape=COLOURED).test, pictures().test
    assert isinstance(coloured, np.ndarray)
    assert isinstance(grey, np.ndarray)
    rows = unet().encode(coloured)["images"]
    assert np.array_equal(rows[:, 0], np.round(coloured.astype(float).mean(-1)).astype(np.uint8))
    rows = unet(COLOURED).encode(grey)["images"]
    assert all(np.array_equal(rows[:, channel], grey[..., 0]) for channel in range(3))


@pytest.mark.parametrize("shape", [(16, 16, 1), (12, 20, 1), (4, 4, 1)])
def test_images_of_another_size_are_resized(shape: tuple[int, int, int]) -> None:
    """A flat image stays flat, and a gradient a gradient."""
    height, width, _ = shape
    flat = np.full((1, *shape), 200, np.uint8)
    gradient = np.broadcast_to(np.linspace(50, 200, width).astype(np.uint8)[:, None], (1, *shape))
    rows = unet().encode(np.concatenate([flat, gradient]))["images"]
    assert rows.shape == (2, 1, 8, 8)
    assert (rows[0] == 200).all()
    assert (rows[1].int().diff(dim=-1) >= 0).all()
    assert height


def test_encoding_is_named_by_the_shape() -> None:
    assert unet().encoding() != unet((8, 16, 1)).encoding()
    assert unet().encoding() == unet(scheduler={"prediction_type": "sample"}).encoding()
    json.dumps(unet().encoding())


# Noise and loss -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["epsilon", "sample", "v_prediction"])
def test_the_loss_is_zero_for_the_right_prediction(kind: str) -> None:
    model = unet(scheduler={"prediction_type": kind})
    batch = batch_of(model, pictures())
    kept = model.noise.alphas_cumprod[batch["timesteps"]][:, None, None, None]
    wanted = {
        "epsilon": batch["noise"],
        "sample": batch["images"],
        "v_prediction": kept.sqrt() * batch["noise"] - (1 - kept).sqrt() * batch["images"],
    }[kind]
    assert float(model.loss(batch, wanted)) == pytest.approx(0, abs=1e-10)
    assert float(model.loss(batch, wanted + 0.5)) == pytest.approx(0.25, rel=1e-4)


def test_noise_is_added_as_ddpm_does() -> None:
    model, seen = unet(), list[Tensor]()
    batch = batch_of(model, pictures())
    model.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model(batch)
    kept = model.noise.alphas_cumprod[batch["timesteps"]][:, None, None, None]
    assert torch.allclose(seen[0], kept.sqrt() * batch["images"] + (1 - kept).sqrt() * batch["noise"])


def test_noise_repeats_and_covers_all_timesteps() -> None:
    model = unet(scheduler={"num_train_timesteps": 5})
    rows = model.collate(model.encode(pictures(200).train), torch.arange(200))
    one, other = (model.draw(rows, torch.Generator().manual_seed(0)) for _ in range(2))
    assert torch.equal(one["noise"], other["noise"])
    assert torch.equal(one["timesteps"], other["timesteps"])
    assert set(one["timesteps"].tolist()) == set(range(5))
    assert one["noise"].mean().abs() < 0.05
    assert one["noise"].std() == pytest.approx(1, abs=0.05)


# Sampling -------------------------------------------------------------------------------------------------------------


def test_samples_repeat_and_leave_other_random_numbers_alone() -> None:
    model = unet()
    state = torch.random.get_rng_state()
    one = draw(model)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(99)
    assert torch.equal(one, draw(model))
    assert not torch.equal(one, draw(model, seed=1))
    assert one.abs().max() <= 1


def test_without_noise_on_the_way_samples_depend_on_the_first_noise_alone() -> None:
    """eta 0 is deterministic; eta 1 draws noise at each step, and that noise repeats too."""
    model, noisy = unet(), unet()
    noisy.options["eta"] = 1.0
    assert not torch.allclose(draw(model), draw(noisy), atol=1e-3)
    assert torch.equal(draw(noisy), draw(noisy))


@pytest.mark.parametrize("kind", ["epsilon", "sample", "v_prediction"])
def test_a_perfect_model_samples_the_image_it_knows(kind: str) -> None:
    """A network that always knows the one image there is: DDIM ends at it."""
    model = unet(scheduler={"prediction_type": kind})
    image = model.collate(model.encode(pictures().test), torch.tensor([0]))["images"]

    class Known(torch.nn.Module):
        config = model.network.config

        def forward(self, noised: Tensor, timestep: Tensor) -> Any:
            kept = model.noise.alphas_cumprod[timestep]
            noise = (noised - kept.sqrt() * image) / (1 - kept).sqrt()
            known = {"epsilon": noise, "sample": image.expand_as(noised)}
            known["v_prediction"] = kept.sqrt() * noise - (1 - kept).sqrt() * image
            return type("Output", (), {"sample": known[kind]})

    batch = batch_of(model, pictures())
    model.network = Known()
    model.network.register_parameter("anchor", torch.nn.Parameter(torch.zeros(1)))
    with torch.inference_mode():
        drawn = model.sample(batch, torch.Generator().manual_seed(0))["images"]
    assert torch.allclose(drawn, image.expand_as(drawn), atol=1e-3)


def test_non_square_images_train_and_sample() -> None:
    model = unet((8, 16, 3))
    batch: Batch = batch_of(model, pictures(shape=(8, 16, 3)))
    model.loss(batch, model(batch)).backward()
    with torch.inference_mode():
        drawn = model.sample(batch, torch.Generator().manual_seed(0))
    assert model.decode(drawn).shape == (4, 8, 16, 3)


# Parts ----------------------------------------------------------------------------------------------------------------

PLAIN = {"down_block_types": ("DownBlock2D",) * 2, "up_block_types": ("UpBlock2D",) * 2}
VARIANTS: list[dict[str, Any]] = [
    {},
    PLAIN | {"add_attention": False},
    {"mid_block_type": None},
    {"time_embedding_type": "fourier"},
    {"time_embedding_type": "learned", "num_train_timesteps": 1000},
]


@pytest.mark.parametrize("sizes", VARIANTS, ids=lambda sizes: "-".join(sizes) or "attention")
def test_blocks_are_all_the_weights_from_input_to_output(sizes: dict[str, Any]) -> None:
    model = unet(**sizes)
    held = [set(block.parameters()) for block in model.blocks()]
    assert set.union(*held) == set(model.network.parameters())
    assert sum(map(len, held)) == len(list(model.network.parameters())), "none is in two blocks"
    assert model.network.conv_in.weight in held[0]
    assert model.network.conv_out.weight in held[-1]
    end = {parameter for part in model.generating_end() for parameter in part.parameters()}
    assert end == set.union(*held[-3:]), "the two blocks of the way up, and the exit"


@pytest.mark.parametrize("sizes", VARIANTS, ids=lambda sizes: "-".join(sizes) or "attention")
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_student_is_smaller_and_starts_from_the_teacher(depth: int, sizes: dict[str, Any]) -> None:
    wide: dict[str, Any] = {"block_out_channels": (16, 32), "layers_per_block": depth}
    model = unet(**wide | sizes)
    before, student = weights(model), model.student()
    count, fewer = (sum(p.numel() for p in each.parameters()) for each in (model, student))
    assert fewer < 0.8 * count
    assert torch.isfinite(outputs(student, pictures())).all()
    taken = [name for name, value in weights(student).items() if name in before and torch.equal(before[name], value)]
    assert ("network.conv_in.weight" in taken) == (depth > 1), "with one layer per block it has half the channels"
    assert not {id(p) for p in student.parameters()} & {id(p) for p in model.parameters()}
    assert same(before, weights(model))


@pytest.mark.parametrize(
    "sizes", [{"block_out_channels": (4, 8), "down_block_types": ("DownBlock2D",) * 2}, {"attention_head_dim": 16}]
)
def test_the_smallest_has_no_smaller_student(sizes: dict[str, Any]) -> None:
    with pytest.raises(NotApplicable, match="no smaller U-Net"):
        unet(layers_per_block=1, **sizes).student()


def test_a_fresh_model_has_nothing_of_the_old() -> None:
    old, new = weights(unet()), weights(unet().fresh())
    assert old.keys() == new.keys()
    assert not any((old[name] == new[name]).any() for name in old)


# Checkpoints ----------------------------------------------------------------------------------------------------------


def test_saving_and_loading_change_nothing(tmp_path: Path) -> None:
    model = unet(scheduler={"prediction_type": "v_prediction", "beta_schedule": "squaredcos_cap_v2"})
    again = load(saved(model, tmp_path))
    assert same(weights(model), weights(again))
    assert again.noise.config.prediction_type == "v_prediction"
    assert torch.equal(outputs(model, pictures()), outputs(again, pictures()))


def flat(folder: Path) -> None:
    """All files at the root, as google/ddpm-cifar10-32 has them."""
    for part, files in {"unet": ("config.json", "diffusion_pytorch_model.safetensors"), "scheduler": None}.items():
        for name in files or ("scheduler_config.json",):
            shutil.move(folder / part / name, folder / name)
        (folder / part).rmdir()


def test_both_layouts_load(tmp_path: Path) -> None:
    model = unet()
    flat(saved(model, tmp_path))
    assert same(weights(model), weights(load(tmp_path)))


def test_reduced_precision_is_loaded_as_full(tmp_path: Path) -> None:
    model = unet()
    model.network.bfloat16()
    assert {tensor.dtype for tensor in load(saved(model, tmp_path)).parameters()} == {torch.float32}


def test_more_steps_than_the_scheduler_has_are_refused() -> None:
    with pytest.raises(CheckpointError, match="20 inference_steps, its scheduler has 10"):
        Diffusion(unet().network, DDPMScheduler(num_train_timesteps=10))


@pytest.mark.parametrize("architecture", [{"layers": 3}, {"block_out_channels": [5, 7]}, {"scheduler": {"betas": 1}}])
def test_an_architecture_that_will_not_do(architecture: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match="architecture") as caught:
        Diffusion.from_architecture(architecture, pictures())
    assert "\n" not in str(caught.value)


def test_an_architecture_takes_its_shape_from_the_source() -> None:
    small = {"block_out_channels": [8], "norm_num_groups": 4, "down_block_types": ["DownBlock2D"]}
    model = Diffusion.from_architecture(
        small | {"up_block_types": ["UpBlock2D"], "scheduler": {"beta_schedule": "squaredcos_cap_v2"}},
        pictures(shape=(8, 16, 3)),
    )
    assert (model.height, model.width, model.network.config.in_channels) == (8, 16, 3)
    assert model.noise.config.beta_schedule == "squaredcos_cap_v2"
