"""What thaws, and when."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.model import Model
from bench.transfer import Transfer
from tests.models import data_of, language_model, prepare, texts, transfer_of, unet

STEPS = 12


class Watch:
    """Before each step: what is awake, and what has moved since the step before."""

    def __init__(self, transfer: Transfer) -> None:
        self.parameters = list(transfer.model.parameters())
        self.awake: list[set[nn.Parameter]] = []
        self.moved: list[set[nn.Parameter]] = []
        self._before: list[Tensor] = []
        transfer.schedule.append(self.look)
        transfer.fit(STEPS)

    def look(self, progress: float) -> None:
        pairs = zip(self.parameters, self._before, strict=False)
        self.moved.append({parameter for parameter, value in pairs if not torch.equal(parameter, value)})
        self.awake.append({parameter for parameter in self.parameters if parameter.requires_grad})
        self._before = [parameter.detach().clone() for parameter in self.parameters]


def watched(
    model: Model, approach: str = "gradual_unfreezing", **options: Any
) -> tuple[list[set[nn.Parameter]], Watch]:
    """The blocks' parameters, and how they fared."""
    data = data_of("diffusion" if model.modality == "image" else "causal_lm")
    transfer = transfer_of(model, data, steps=STEPS, weight_decay=0.1, decay="constant")
    prepare(transfer, approach, gradual_unfreezing=options)
    return [set(block.parameters()) for block in transfer.model.blocks()], Watch(transfer)


@pytest.mark.parametrize("make", [lambda: language_model("llama"), unet], ids=["llama", "unet"])
def test_blocks_thaw_from_the_last_to_the_first(make: Any) -> None:
    blocks, watch = watched(make())
    assert watch.awake[0] == blocks[-1]
    expected = [set().union(*blocks[-count:]) for count in range(1, len(blocks) + 1)]
    seen = [awake for index, awake in enumerate(watch.awake) if index == 0 or awake != watch.awake[index - 1]]
    assert seen == expected, "one more block at a time, and none is left out"
    assert watch.awake[STEPS // 2] == expected[-1], "half of the steps are for all of it"


@pytest.mark.parametrize("make", [lambda: language_model("llama"), unet], ids=["llama", "unet"])
def test_what_sleeps_does_not_move(make: Any) -> None:
    """Neither by a gradient left over, nor by momentum, nor by weight decay."""
    _, watch = watched(make())
    for awake, moved in zip(watch.awake, watch.moved[1:], strict=False):
        assert moved == awake


def test_a_tied_weight_is_awake_with_the_later_of_its_places() -> None:
    """The head trains from the first step, so the embeddings it is tied to do; the positions wait for their turn."""
    model = language_model()
    tied = model.network.get_output_embeddings().weight
    _, watch = watched(model)
    assert tied in watch.awake[0]
    assert model.network.transformer.wpe.weight not in watch.awake[0]
    assert all(parameter in watch.awake[-1] for parameter in model.parameters())


@pytest.mark.parametrize("make", [language_model, unet])
@pytest.mark.parametrize("approach", ["lora + gradual_unfreezing", "gradual_unfreezing + lora"])
def test_with_lora_the_pretrained_weights_sleep_on(make: Any, approach: str) -> None:
    model = make()
    pretrained = {parameter: parameter.detach().clone() for parameter in model.parameters()}
    _, watch = watched(model, approach)
    assert all(awake.isdisjoint(pretrained) for awake in watch.awake)
    assert watch.awake[0] < watch.awake[-1] == set(watch.parameters) - set(pretrained)
    assert all(torch.equal(parameter, value) for parameter, value in pretrained.items())


def test_with_feature_extraction_only_the_new_end_thaws() -> None:
    model = unet()
    _, watch = watched(model, "feature_extraction + gradual_unfreezing")
    end = {parameter for part in model.generating_end() for parameter in part.parameters()}
    assert watch.awake[-1] == end
    assert watch.awake[0] < end


@pytest.mark.parametrize(("until", "first", "last"), [(0.0, 6, 6), (1.0, 1, 5), (0.25, 1, 6)])
def test_until_says_when_all_has_thawed(until: float, first: int, last: int) -> None:
    """With 1 the first block would thaw as the last step ends."""
    blocks, watch = watched(language_model("llama"), until=until)
    assert watch.awake[0] == set().union(*blocks[-first:])
    assert watch.awake[-1] == set().union(*blocks[-last:])


def test_what_thawed_is_stored_and_all_of_it_trains_afterwards() -> None:
    transfer = prepare(transfer_of(language_model("llama"), texts()), "gradual_unfreezing")
    before = transfer.stored().keys(), len(transfer.trainable())
    transfer.fit(1)
    assert (transfer.stored().keys(), len(transfer.trainable())) == before
