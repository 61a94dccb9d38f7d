"""Both ways of a translation, the losses of maps that are known, validation without pairs, and checkpoints."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.dataset import Columns
from bench.errors import CheckpointError, NotApplicable
from bench.families.cyclegan import CycleGAN, energy_distance
from bench.model import Batch
from tests.models import batch_of, outputs, prepare, same, saved, transfer_of, weights
from tests.small.cyclegan import ARCHITECTURE, data, model


def load(folder: Path, **options: Any) -> CycleGAN:
    return CycleGAN.from_checkpoint(str(folder), revision=None, trust_remote_code=False, **options)


def columns(split: str) -> Columns:
    found = getattr(data(), split)
    assert isinstance(found, Columns)
    return found


class Known(nn.Module):
    """A map in the place of both generators: there it is multiplied by a factor, back divided by it."""

    def __init__(self, there: float, back: float) -> None:
        super().__init__()
        self.factors = {"there": there, "back": back}
        self.anchor = nn.Parameter(torch.ones(()))

    def forward(self, images: Tensor, way: str) -> Tensor:
        return images * self.factors[way] * self.anchor


class Indifferent(nn.Module):
    """Critics that say one thing of everything."""

    def __init__(self, said: float) -> None:
        super().__init__()
        self.said = nn.Parameter(torch.tensor(said))

    def forward(self, images: Tensor, way: str) -> Tensor:
        return self.said.expand(len(images), 4)


def known(there: float, back: float, said: float = 0.5, **options: float) -> Any:
    made: Any = CycleGAN.from_architecture(ARCHITECTURE, data(), **options)
    made.network, made.critics = Known(there, back), Indifferent(said)
    return made


# Losses ---------------------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_maps_that_undo_each_other_have_no_cycle_loss() -> None:
    made = known(0.5, 2.0, cycle=3.0, identity=0.0)
    batch = batch_of(made, data())
    assert float(made.loss(batch, made(batch), made.network)) == pytest.approx(0, abs=1e-6)


@torch.no_grad()
def test_cycle_and_identity_losses_are_those_of_the_paper() -> None:
    made = known(0.5, 1.0, cycle=10.0, identity=0.5)
    batch = batch_of(made, data())
    source, target = batch["images"].abs().mean((0, 2, 3))
    cycle = 0.5 * source + 0.5 * target  # both cycles end at half of where they began
    identity = 0.5 * target  # there halves a target that it should keep; back keeps its source
    expected = 10 * (cycle + 0.5 * identity)
    assert float(made.loss(batch, made(batch), made.network)) == pytest.approx(float(expected), rel=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("said", [-0.5, 0.0, 0.5, 1.25])
def test_adversarial_losses_are_squares_around_what_is_to_be_said(said: float) -> None:
    """In the paper's words, of critics that say 0 to 1: (D - 1)² for generators, (D - 1)² + D² for critics."""
    made = known(1.0, 1.0, said, identity=0.0)
    batch = batch_of(made, data())
    paper = said + 0.5
    assert float(made.loss(batch, made(batch), made.network)) == pytest.approx(2 * (paper - 1) ** 2, abs=1e-6)
    assert float(made.loss(batch, made(batch), made.critics)) == pytest.approx((paper - 1) ** 2 + paper**2, abs=1e-6)


def test_each_player_gets_gradients_of_its_own_loss_alone() -> None:
    made = model()
    batch = batch_of(made, data())
    made.loss(batch, made(batch), made.critics).backward()
    assert all(weight.grad is None for weight in made.network.parameters())
    assert all(weight.grad is not None for weight in made.critics.parameters())
    made.zero_grad()
    made.loss(batch, made(batch), made.network).backward()
    assert all(weight.grad is not None for weight in made.network.parameters())
    assert all(weight.grad is None for weight in made.critics.parameters())


@torch.no_grad()
def test_critics_judge_each_domain_on_its_own() -> None:
    made = model()
    batch = batch_of(made, data())
    said = made.realness(batch)
    assert said.shape[0] == 4
    swapped = batch | {"images": batch["images"].roll(1, 1)}
    assert not torch.allclose(made.realness(swapped).sort(1).values, said.sort(1).values)
    other = batch["images"].clone()
    other[:, 1] = 0.3
    half = said.shape[1] // 2
    moved = made.realness(batch, other)
    assert torch.equal(moved[:, :half], said[:, :half]), "the source's verdicts do not hear of the target"
    assert not torch.allclose(moved[:, half:], said[:, half:])


# Validation -----------------------------------------------------------------------------------------------------------


def test_energy_distance_in_closed_form() -> None:
    """0 and 2 are 1 from 1 and 1, and 1 from themselves; sets that are equal but for their order are not apart."""
    ones, others = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [1.0]])
    assert float(energy_distance(ones, others)) == pytest.approx(2 * 1 - 1 - 0)
    pictures = torch.rand(30, 3, 8, 8)
    assert float(energy_distance(pictures, pictures.flip(0))) == pytest.approx(0, abs=1e-5)
    assert float(energy_distance(torch.zeros(1, 2, 2), torch.full((1, 2, 2), 0.7))) == pytest.approx(1.4)


def test_validation_needs_no_pairs_and_no_critic() -> None:
    made = model()
    rows = made.encode(data().test)
    mixed = {name: value.clone() for name, value in rows.items()}
    mixed["images"][:, 1] = rows["images"][:, 1].flip(0)

    def validated(rows: Batch) -> float:
        batch = made.draw(made.collate(rows, torch.arange(6)), torch.Generator())
        with torch.no_grad():
            return float(made.loss(batch, made(batch)))

    before = validated(rows)
    assert validated(mixed) == pytest.approx(before, rel=1e-5)
    for weight in made.critics.parameters():
        nn.init.ones_(weight)
    assert validated(rows) == before


@torch.no_grad()
def test_validation_is_least_for_the_true_map() -> None:
    """Targets are half as bright as their sources: from 0…1, so in -1…1 a map with an offset."""

    class Halved(nn.Module):
        def __init__(self, off: float) -> None:
            super().__init__()
            self.off = nn.Parameter(torch.tensor(off))

        def forward(self, images: Tensor, way: str) -> Tensor:
            return images / 2 + self.off if way == "there" else (images - self.off) * 2

    made, losses = CycleGAN.from_architecture(ARCHITECTURE, data()), []
    halved = Columns({"source": columns("test")["source"], "target": columns("test")["source"] // 2})
    batch = made.collate(made.encode(halved), torch.arange(6))
    for off in (-0.5, 0.0, 0.5):
        made.network = Halved(off)
        losses.append(float(made.loss(batch, made(batch))))
    assert losses[0] < 0.01 < losses[1] < losses[2]


# Rows and samples -----------------------------------------------------------------------------------------------------


def test_decoding_undoes_encoding() -> None:
    made, items = model(), columns("test")
    rows = made.encode(items)
    for batch in (rows, made.collate(rows, torch.arange(len(items)))):
        back = made.decode(batch)
        assert back.names == ["source", "target"]
        assert all(np.array_equal(back[name], items[name]) for name in back.names)


def test_samples_are_the_sources_with_new_targets() -> None:
    made, items = model(), columns("test")
    batch = made.collate(made.encode(items), torch.arange(len(items)))
    with torch.inference_mode():
        drawn = made.decode(made.sample(batch, torch.Generator()))
        there = made.network(batch["images"][:, :1], "there")
    assert np.array_equal(drawn["source"], items["source"])
    assert np.array_equal(drawn["target"], made.decode({"images": torch.cat([there, there], 1)})["target"])


def test_augmentation_treats_both_pictures_alike() -> None:
    """Of rows whose pictures are equal, the critics are shown equal pictures."""
    made, seen = model(), list[Tensor]()
    same_twice = Columns({"source": columns("train")["source"], "target": columns("train")["source"]})
    transfer = prepare(transfer_of(made, data()), "augmentation")
    made.train()
    made.critics.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    batch = made.collate(made.encode(same_twice), torch.arange(4))
    transfer.model.realness(batch)
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], batch["images"][:, :1])


def test_smaller_pictures_still_hold_a_patch() -> None:
    made = CycleGAN.from_architecture(ARCHITECTURE | {"sample_size": 16}, data())
    batch = {"images": torch.zeros(2, 2, 16, 16)}
    assert made.coarser(batch, 0.1)["images"].shape[2:] == (6, 6)
    assert made.coarser(batch, 0.5)["images"].shape[2:] == (8, 8)
    smallest = CycleGAN.from_architecture(ARCHITECTURE | {"sample_size": 6}, data())
    with pytest.raises(NotApplicable, match="6 pixels"):
        smallest.coarser(batch, 0.5)


# Parts and checkpoints ------------------------------------------------------------------------------------------------


def test_blocks_are_all_the_weights_and_hold_both_ways() -> None:
    made = model()
    held = [set(block.parameters()) for block in made.blocks()]
    assert set.union(*held) == set(made.network.parameters())
    assert sum(map(len, held)) == len(list(made.network.parameters()))
    critics = {parameter for part in made.critic() for parameter in part.parameters()}
    assert critics == set(made.critics.parameters())
    for block in made.blocks():
        names = [name for name, _ in block.named_parameters()]
        assert sum(".there." in f".{name}" for name in names) == sum(".back." in f".{name}" for name in names) > 0


@pytest.mark.parametrize("blocks", [1, 2])
def test_student_is_smaller_and_keeps_the_critics(blocks: int) -> None:
    made = CycleGAN.from_architecture(ARCHITECTURE | {"residual_blocks": blocks}, data())
    student = made.student()
    count, fewer = (sum(p.numel() for p in each.network.parameters()) for each in (made, student))
    assert fewer < 0.8 * count
    assert same(weights(made.critics), weights(student.critics))  # type: ignore[arg-type]
    assert not {id(p) for p in student.parameters()} & {id(p) for p in made.parameters()}
    assert outputs(student, data()).shape == outputs(made, data()).shape


def test_saving_and_loading_change_nothing(tmp_path: Path) -> None:
    made = model()
    again = load(saved(made, tmp_path), cycle=2.0)
    assert same(weights(made), weights(again))
    assert again.options == {"cycle": 2.0, "identity": 0.5}
    assert torch.equal(outputs(made, data()), outputs(again, data()))


def another_kind(folder: Path) -> None:
    config = json.loads((saved(model(), folder) / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"_class_name": "UNet2DModel"}))


def no_weights(folder: Path) -> None:
    (saved(model(), folder) / "diffusion_pytorch_model.safetensors").unlink()


def cut_short(folder: Path) -> None:
    path = saved(model(), folder) / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def no_critics(folder: Path) -> None:
    made: Any = model()
    made.critics = nn.Identity()
    made.save(folder)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (another_kind, "a UNet2DModel is no CycleGAN"),
        (no_weights, "safetensors"),
        (cut_short, "not a CycleGAN"),
        (no_critics, "no weights for critics"),
        (lambda folder: None, "not a CycleGAN"),
    ],
)
def test_a_checkpoint_that_will_not_do(spoil: Callable[[Path], None], said: str, tmp_path: Path) -> None:
    spoil(tmp_path)
    with pytest.raises(CheckpointError, match=said) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("architecture", [{"layers": 3}, {"residual_blocks": 0}, {"critic_layers": 3}])
def test_an_architecture_that_will_not_do(architecture: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match="architecture") as caught:
        CycleGAN.from_architecture(architecture, data())
    assert "\n" not in str(caught.value)
