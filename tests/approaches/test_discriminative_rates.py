"""The rate falls from block to block, from the output to the input."""

from itertools import pairwise
from typing import Any

import pytest
from torch import nn

from bench.transfer import Transfer
from tests.models import data_of, language_model, prepare, texts, transfer_of, unet


def rated(make: Any = language_model, approach: str = "discriminative_rates", **options: float) -> Transfer:
    model = make()
    data = data_of("diffusion" if model.modality == "image" else "causal_lm")
    return prepare(transfer_of(model, data), approach, discriminative_rates=options)


@pytest.mark.parametrize("make", [lambda: language_model("llama"), unet], ids=["llama", "unet"])
@pytest.mark.parametrize("factor", [2.6, 10.0])
def test_each_block_is_slower_than_the_next_by_the_factor(make: Any, factor: float) -> None:
    transfer = rated(make, factor=factor)
    blocks = transfer.model.blocks()
    for distance, block in enumerate(reversed(blocks)):
        for weight in block.parameters():
            assert transfer.rates[weight] == pytest.approx(factor**-distance)
    assert set(transfer.rates) == set(transfer.model.network.parameters())


def test_weights_move_at_their_rates() -> None:
    """AdamW's first step moves a weight by its rate, whatever the gradient."""
    data, model = texts(), language_model("llama")
    transfer = prepare(transfer_of(model, data, weight_decay=0.0), "discriminative_rates")
    before = {weight: weight.detach().clone() for weight in model.parameters()}
    transfer.practise("first", 1)
    steps = [
        max((weight - before[weight]).detach().abs().max().item() for weight in block.parameters())
        for block in model.blocks()
    ]
    assert [later / earlier for earlier, later in pairwise(steps)] == pytest.approx([2.6] * 5, rel=0.05)


def test_a_tied_weight_has_the_rate_of_its_later_place() -> None:
    transfer = rated()
    network: Any = transfer.model.network
    assert transfer.rates[network.get_output_embeddings().weight] == 1
    assert transfer.rates[network.transformer.wpe.weight] == pytest.approx(2.6**-5)


@pytest.mark.parametrize("approach", ["lora + discriminative_rates", "discriminative_rates + lora"])
def test_what_others_added_learns_at_the_full_rate_and_what_they_froze_sleeps_on(approach: str) -> None:
    transfer = rated(approach=approach)
    assert all("lora_" in name for name, weight in transfer.model.named_parameters() if weight.requires_grad)
    assert {transfer.rates.get(weight, 1.0) for weight in transfer.trainable()} == {1.0}


def test_a_student_has_rates_of_its_own() -> None:
    transfer = rated(approach="distillation + discriminative_rates")
    assert len({transfer.rates[weight] for weight in transfer.model.parameters()}) == len(transfer.model.blocks())


def test_rates_that_others_set_are_kept() -> None:
    model = language_model("llama")
    transfer = transfer_of(model, texts())
    weight: nn.Parameter = model.network.model.layers[-1].mlp.down_proj.weight
    transfer.rates[weight] = 0.5
    prepare(transfer, "discriminative_rates", discriminative_rates={"factor": 2.0})
    assert transfer.rates[weight] == 0.25
