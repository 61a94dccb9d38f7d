"""What augmentation does to images and texts, against closed forms."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.dataset import Dataset
from bench.errors import NotApplicable
from bench.model import Batch, Model
from bench.transfer import Transfer
from tests.gan import Gan, gan
from tests.models import (
    batch_of,
    data_of,
    language_model,
    model_of,
    pictures,
    prepare,
    same,
    texts,
    transfer_of,
    unet,
    weights,
)
from tests.small import audio as sounds

OFF = {"rotation": 0.0, "scaling": 0.0, "shift": 0.0, "flip": 0.0, "token_noise": 0.0}
OFF |= {"gain": 0.0, "hiss": 0.0}
SHAPES = pytest.mark.parametrize("shape", [(33, 33, 1), (25, 33, 1), (33, 25, 3)])


def changed(model: Model, data: Dataset, batch: Batch, seed: int = 0, **options: Any) -> Batch:
    """A batch after the transform that the options make."""
    transfer = prepare(transfer_of(model, data), "augmentation", augmentation=OFF | options)
    (transform,) = transfer.transforms
    return transform(batch, torch.Generator().manual_seed(seed))


def turned(images: Tensor, **options: Any) -> Tensor:
    height, width = images.shape[2:]
    shape = (height, width, images.shape[1])
    return changed(unet((8, 8, 1)), pictures(shape=shape), {"images": images}, **options)["images"]


def random_images(shape: tuple[int, int, int], rows: int = 64) -> Tensor:
    height, width, channels = shape
    return 2 * torch.rand(rows, channels, height, width, generator=torch.Generator().manual_seed(1)) - 1


def blobs(shape: tuple[int, int, int], right: float, down: float, rows: int = 64) -> Tensor:
    """One smooth spot, so many pixels from the middle."""
    height, width, channels = shape
    y = torch.arange(height)[:, None] - (height - 1) / 2 - down
    x = torch.arange(width)[None] - (width - 1) / 2 - right
    return torch.exp(-(x**2 + y**2) / 4).expand(rows, channels, height, width).clone()


def places(images: Tensor) -> Tensor:
    """Where the spots are: pixels right of and below the middle, shape (rows, 2)."""
    height, width = images.shape[2:]
    mass = images.mean(1)
    x = (mass.sum(1) * (torch.arange(width) - (width - 1) / 2)).sum(1)
    y = (mass.sum(2) * (torch.arange(height) - (height - 1) / 2)).sum(1)
    return torch.stack([x, y], 1) / mass.sum((1, 2))[:, None]


# Images ---------------------------------------------------------------------------------------------------------------


@SHAPES
def test_zero_settings_change_nothing(shape: tuple[int, int, int]) -> None:
    images = random_images(shape)
    assert torch.allclose(turned(images), images, atol=1e-4)


@SHAPES
def test_a_flip_is_a_flip(shape: tuple[int, int, int]) -> None:
    images = random_images(shape)
    assert torch.allclose(turned(images, flip=1.0), images.flip(-1), atol=1e-4)


def test_flips_are_as_frequent_as_asked() -> None:
    images = random_images((9, 9, 1), rows=1000)
    flipped = (turned(images, flip=0.3) - images.flip(-1)).abs().amax((1, 2, 3)) < 1e-3
    assert float(flipped.float().mean()) == pytest.approx(0.3, abs=0.05)


@SHAPES
def test_a_shift_is_a_share_of_the_side(shape: tuple[int, int, int]) -> None:
    height, width, _ = shape
    moved = places(turned(blobs(shape, 0, 0, rows=400), shift=0.2))
    for axis, side in enumerate((width, height)):
        assert moved[:, axis].abs().max() <= 0.2 * side + 0.1
        assert moved[:, axis].abs().max() > 0.19 * side
        assert moved[:, axis].mean().abs() < 0.02 * side, "either way alike"


@SHAPES
def test_scaling_moves_a_spot_from_or_towards_the_middle(shape: tuple[int, int, int]) -> None:
    moved = places(turned(blobs(shape, right=4, down=2, rows=400), scaling=0.3))
    ratios = moved / torch.tensor([4, 2])
    assert torch.allclose(ratios[:, 0], ratios[:, 1], atol=0.05)
    assert 0.69 < ratios.min() < 0.73
    assert 1.27 < ratios.max() < 1.31


@SHAPES
def test_rotation_keeps_the_distance_from_the_middle(shape: tuple[int, int, int]) -> None:
    """A circle stays a circle, also where height and width differ."""
    moved = places(turned(blobs(shape, right=4, down=0, rows=400), rotation=30.0))
    assert torch.allclose(moved.norm(dim=1), torch.tensor(4.0), atol=0.1)
    angles = torch.rad2deg(torch.atan2(moved[:, 1], moved[:, 0]))
    assert 29 < angles.max() < 30.5
    assert -30.5 < angles.min() < -29


def test_every_image_changes_in_its_own_way() -> None:
    moved = places(turned(blobs((33, 33, 1), 5, 0), rotation=30.0, shift=0.1))
    assert len({tuple(place) for place in moved.round(decimals=3).tolist()}) > 60


@SHAPES
def test_images_keep_shape_kind_and_range(shape: tuple[int, int, int]) -> None:
    images = random_images(shape)
    moved = turned(images, rotation=45.0, scaling=0.5, shift=0.5, flip=0.5)
    assert moved.shape == images.shape
    assert moved.dtype == images.dtype
    assert moved.abs().max() <= 1 + 1e-5
    assert not torch.allclose(moved, images, atol=0.1)


# Texts ----------------------------------------------------------------------------------------------------------------


def texts_batch(rows: int = 12) -> tuple[Model, Batch]:
    model = language_model(context=30)
    return model, model.collate(model.encode(texts(rows).train), torch.arange(rows))


def test_no_token_noise_changes_no_token() -> None:
    model, batch = texts_batch()
    assert torch.equal(changed(model, texts(), batch)["input_ids"], batch["input_ids"])


def test_noise_hits_what_is_read_and_not_what_is_to_be_said() -> None:
    model, batch = texts_batch(200)
    noisy = changed(model, texts(), batch, token_noise=1.0)
    inside = torch.arange(batch["input_ids"].shape[1]) < batch["length"][:, None]
    assert torch.equal(noisy["targets"], batch["input_ids"])
    assert torch.equal(noisy["input_ids"][:, 0], batch["input_ids"][:, 0]), "the start stays"
    assert torch.equal(noisy["input_ids"][~inside], batch["input_ids"][~inside]), "padding stays"
    assert set(noisy["input_ids"].unique().tolist()) <= set(batch["input_ids"][inside].unique().tolist())
    counts, drawn = (
        torch.bincount(ids, minlength=300).float()
        for ids in (batch["input_ids"][inside], noisy["input_ids"][:, 1:][inside[:, 1:]])
    )
    assert (counts / counts.sum() - drawn / drawn.sum()).abs().max() < 0.03, "drawn as often as they occur"


def test_noise_hits_as_often_as_asked() -> None:
    model, batch = texts_batch(400)
    noisy, always = (changed(model, texts(), batch, token_noise=share) for share in (0.25, 1.0))
    inside = (torch.arange(batch["input_ids"].shape[1]) < batch["length"][:, None])[:, 1:]
    hit, most = ((each["input_ids"] != batch["input_ids"])[:, 1:][inside].float().mean() for each in (noisy, always))
    assert float(hit / most) == pytest.approx(0.25, abs=0.02)


def test_the_loss_asks_for_the_clean_tokens() -> None:
    model, batch = texts_batch()
    noisy = changed(model, texts(), batch, token_noise=1.0)
    with torch.no_grad():
        sure = torch.nn.functional.one_hot(batch["input_ids"][:, 1:], 300).float() * 100
    assert float(model.loss(noisy, sure)) == pytest.approx(0, abs=1e-6)
    assert model.units(noisy) == model.units(batch)


# Sounds ---------------------------------------------------------------------------------------------------------------


def sounding(waves: Tensor, **options: Any) -> Tensor:
    return changed(sounds.model(), sounds.data(), {"sounds": waves}, **options)["sounds"]


def beeps(rows: int = 400) -> Tensor:
    """A short knock in the middle of silence, of 90 samples."""
    waves = torch.zeros(rows, 90)
    waves[:, 45] = 0.5
    return waves


def test_sounds_without_change_stay() -> None:
    waves = 2 * torch.rand(8, 90, generator=torch.Generator().manual_seed(1)) - 1
    assert torch.equal(sounding(waves), waves)


def test_sounds_move_in_time_and_silence_fills_up() -> None:
    moved = sounding(beeps(), shift=0.2)
    places = moved.argmax(1) - 45
    assert places.min() == -18
    assert places.max() == 18
    assert torch.equal(moved.amax(1), torch.full((400,), 0.5))
    assert (sounding(torch.ones(400, 90), shift=0.5) == 0).any(), "silence comes in, and not the other end"


def test_sounds_get_louder_and_softer_by_so_many_db() -> None:
    levels = 20 * torch.log10(sounding(beeps(), gain=4.0).amax(1) / 0.5)
    assert -4 <= levels.min() < -3.8
    assert 3.8 < levels.max() <= 4.001
    assert levels.mean().abs() < 0.4


def test_hiss_is_no_louder_than_asked_and_nothing_is_louder_than_full_scale() -> None:
    hissing = sounding(torch.zeros(400, 90), hiss=0.1).std(1)
    assert 0.08 < hissing.max() < 0.13
    assert hissing.min() < 0.01
    assert sounding(torch.ones(4, 90), gain=6.0, hiss=0.5).abs().max() <= 1


# Both -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["causal_lm", "diffusion"])
def test_it_repeats_with_its_generator(family: str) -> None:
    model, data = model_of(family), data_of(family)
    batch = model.collate(model.encode(data.train), torch.arange(4))
    options: dict[str, Any] = {"rotation": 20.0, "token_noise": 0.5}
    key = "input_ids" if family == "causal_lm" else "images"
    one, again, other = (changed(model, data, batch, seed, **options)[key] for seed in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("family", ["causal_lm", "diffusion"])
def test_it_touches_training_batches_alone(family: str) -> None:
    model, data = model_of(family), data_of(family)
    options = {"rotation": 90.0, "shift": 0.5, "token_noise": 1.0}
    plain, augmented = (transfer_of(each, data, steps=2, learning_rate=1e-12) for each in (model, model_of(family)))
    prepare(augmented, "augmentation", augmentation=options)
    encoded = {
        split: {k: v.clone() for k, v in augmented.encode(getattr(data, split)).items()}
        for split in ("train", "validation", "test")
    }
    for transfer in (plain, augmented):
        transfer.fit(2)
    trained, validated = (
        [[row[key] for row in t.curve if key in row] for t in (plain, augmented)]
        for key in ("train_loss", "validation_loss")
    )
    assert validated[0] == pytest.approx(validated[1], rel=1e-6)
    assert not math.isclose(trained[0][0], trained[1][0], rel_tol=1e-3)
    for split, rows in encoded.items():
        assert all(torch.equal(value, augmented.encode(getattr(data, split))[key]) for key, value in rows.items())


# Before a critic ------------------------------------------------------------------------------------------------------


class Seen:
    """All that a GAN's critic was shown in training: real or generated, as it was and as it was seen."""

    def __init__(self, transfer: Transfer) -> None:
        model, self.shown = transfer.model, list[tuple[bool, Tensor, Tensor]]()
        ask, seen = model.realness, list[Tensor]()
        model.players()[1].register_forward_pre_hook(lambda module, given: seen.append(given[0]))

        def realness(batch: Batch, outputs: Tensor | None = None) -> Tensor:
            said = ask(batch, outputs)
            if model.training:
                self.shown.append((outputs is None, batch["images"] if outputs is None else outputs, seen[-1]))
            return said

        model.realness = realness  # type: ignore[method-assign]

    def changed(self, real: bool) -> list[float]:
        """For each time, the share of rows that the critic saw changed."""
        pairs = [(plain, seen) for was_real, plain, seen in self.shown if was_real == real]
        return [float(((one - other).abs().amax((1, 2, 3)) > 1e-3).float().mean()) for one, other in pairs]


def verdict(transfer: Transfer) -> Tensor:
    """What a GAN's critic adds to all that it says."""
    last: Any = transfer.model.critic()[-1]
    bias: Tensor = last.bias
    return bias


def test_a_critic_sees_real_and_generated_images_changed() -> None:
    transfer = prepare(gan(3), "augmentation", augmentation=OFF | {"flip": 1.0})
    seen = Seen(transfer)
    transfer.fit(3)
    assert len(seen.shown) == 3 * (2 + 1), "in the critic's turn both, in the generator's what it made"
    for _, plain, shown in seen.shown:
        assert torch.allclose(shown, plain.flip(-1), atol=1e-4)
    assert not transfer.transforms, "and real images are not changed twice"


def test_the_generator_learns_through_the_change() -> None:
    model: Any = prepare(gan(), "augmentation", augmentation={"rotation": 30.0}).model.train()
    batch = batch_of(model, pictures())
    model.loss(batch, model(batch), model.players()[0]).backward()
    assert all(float(weight.grad.abs().sum()) > 0 for weight in model.network.parameters())


def test_out_of_training_a_critic_sees_things_as_they_are() -> None:
    model = prepare(gan(), "augmentation", augmentation={"rotation": 90.0, "flip": 1.0}).model
    batch = batch_of(model, pictures())
    for outputs in (None, model(batch)):
        assert torch.equal(model.eval().realness(batch, outputs), Gan().realness(batch, outputs))
        assert not torch.allclose(model.train().realness(batch, outputs), Gan().realness(batch, outputs))


@pytest.mark.parametrize(("said", "shares"), [(9.0, [0, 0.2, 0.4, 0.6, 0.8, 1, 1]), (-9.0, [0] * 7)])
def test_the_strength_rises_while_the_critic_is_sure(said: float, shares: list[float]) -> None:
    """From none to all in half of 40 steps, a fifth every four; and not at all where the critic takes real for made."""
    options = OFF | {"flip": 1.0, "adaptive": True, "ramp": 0.5}
    transfer = gan(40, pictures(400), batch_size=400, learning_rate=1e-12)
    prepare(transfer, "augmentation", augmentation=options)
    with torch.no_grad():
        verdict(transfer).fill_(said)
    seen = Seen(transfer)
    transfer.fit(40)
    for real in (True, False):
        found = seen.changed(real)[:: 4 * (1 if real else 2)]
        assert found[:7] == pytest.approx(shares, abs=0.1)


def test_the_strength_falls_again() -> None:
    transfer = gan(40, pictures(400), batch_size=400, learning_rate=1e-12)
    prepare(transfer, "augmentation", augmentation=OFF | {"flip": 1.0, "adaptive": True, "ramp": 0.5})

    @torch.no_grad()
    def sway(progress: float) -> None:
        verdict(transfer).fill_(9.0 if progress < 0.5 else -9.0)

    transfer.schedule.insert(0, sway)
    seen = Seen(transfer)
    transfer.fit(40)
    found = seen.changed(real=True)[::4]
    assert found[5] > 0.9
    assert found[-1] == pytest.approx(found[5] - 0.8, abs=0.1)


def test_each_kind_of_change_is_made_on_its_own() -> None:
    transfer = gan(4, pictures(400), batch_size=400, learning_rate=1e-12)
    options = OFF | {"flip": 1.0, "shift": 0.4, "adaptive": True, "ramp": 2.0}  # half of them after the first change
    prepare(transfer, "augmentation", augmentation=options)
    with torch.no_grad():
        verdict(transfer).fill_(9.0)
    seen = Seen(transfer)
    transfer.fit(4)
    transfer.fit(1)
    _, plain, shown = [each for each in seen.shown if each[0]][-1]
    same, flipped = (((shown - one).abs().amax((1, 2, 3)) < 1e-3).float().mean() for one in (plain, plain.flip(-1)))
    assert float(same) == pytest.approx(0.25, abs=0.08)
    assert float(flipped) == pytest.approx(0.25, abs=0.08)


@pytest.mark.parametrize("family", ["causal_lm", "diffusion"])
def test_without_a_critic_there_is_nothing_to_adapt_to(family: str) -> None:
    with pytest.raises(NotApplicable, match=r"follows what a critic says of real images, and \w+ has none"):
        prepare(transfer_of(model_of(family), data_of(family)), "augmentation", augmentation={"adaptive": True})


def test_the_strength_repeats_with_the_seed() -> None:
    ends = []
    for _ in range(2):
        transfer = prepare(gan(12), "augmentation", augmentation={"adaptive": True})
        transfer.fit(12)
        ends.append(weights(transfer.model))
    assert same(*ends)
