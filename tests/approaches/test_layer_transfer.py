"""Which blocks come from the pretrained model, and which start anew."""

from typing import Any

import pytest
import torch
from torch import nn

from bench.errors import PluginError
from bench.transfer import Transfer
from tests.models import data_of, fitted, language_model, outputs, prepare, texts, transfer_of, unet


def models(kind: str) -> tuple[Any, str]:
    return (unet(), "diffusion") if kind == "unet" else (language_model(kind), "causal_lm")


def transferred(kind: str, seed: int = 0, **options: Any) -> tuple[Transfer, list[bool]]:
    """What came of it, and of each block, whether it is the pretrained one; no block is partly so."""
    model, family = models(kind)
    pretrained = [[*block.parameters()] for block in models(kind)[0].blocks()]
    transfer = prepare(transfer_of(model, data_of(family), seed=seed), "layer_transfer", layer_transfer=options)
    kept = list[bool]()
    for block, before in zip(model.blocks(), pretrained, strict=True):
        equal = {torch.equal(weight, old) for weight, old in zip(block.parameters(), before, strict=True)}
        assert len(equal) == 1
        assert {transfer.is_pretrained(weight) for weight in block.parameters()} == equal
        kept += equal
    return transfer, kept


KINDS = ["llama", "gpt2", "bert", "unet"]


@pytest.mark.parametrize("kind", KINDS)
def test_halves_are_the_two_parts_of_the_whole(kind: str) -> None:
    _, lower = transferred(kind, blocks="lower half")
    _, upper = transferred(kind, blocks="upper half")
    assert [not kept for kept in lower] == upper
    assert lower == sorted(lower, reverse=True), "counted from the input"
    assert sum(lower) - sum(upper) == len(lower) % 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("blocks", "wanted"), [([0], [0]), ([-1], [-1]), ([1, -2], [1, -2]), ([0, 0, 2], [0, 2])])
def test_chosen_blocks_are_transferred(kind: str, blocks: list[int], wanted: list[int]) -> None:
    _, kept = transferred(kind, blocks=blocks)
    expected = [False] * len(kept)
    for index in wanted:
        expected[index] = True
    assert kept == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("freeze", [False, True])
def test_frozen_blocks_do_not_move_and_others_do(kind: str, freeze: bool) -> None:
    transfer, kept = transferred(kind, freeze=freeze)
    before = [{weight: weight.detach().clone() for weight in block.parameters()} for block in transfer.model.blocks()]
    fitted(transfer)
    for weights, pretrained in zip(before, kept, strict=True):
        still = [torch.equal(weight, value) for weight, value in weights.items()]
        assert all(still) if pretrained and freeze else not all(still)


def test_a_tied_weight_is_transferred_to_the_chosen_place_alone() -> None:
    for blocks, kept, fresh in (([0], "input", "output"), ([-1], "output", "input")):
        transfer, _ = transferred("gpt2", blocks=blocks, freeze=True)
        network: Any = transfer.model.network
        ends = {"input": network.get_input_embeddings().weight, "output": network.get_output_embeddings().weight}
        assert transfer.is_pretrained(ends[kept])
        assert not transfer.is_pretrained(ends[fresh])
        assert (ends[kept].requires_grad, ends[fresh].requires_grad) == (False, True)
    both: Any = transferred("gpt2", blocks=[1])[0].model.network
    assert both.get_input_embeddings().weight is both.get_output_embeddings().weight


def test_fresh_blocks_are_as_the_architecture_initialises_them() -> None:
    networks: list[Any] = [transferred("llama", seed=seed)[0].model.network for seed in (0, 1)]
    ends = [network.lm_head.weight for network in networks]
    assert not torch.equal(*ends)
    config = language_model("llama").network.config
    assert float(ends[0].detach().std()) == pytest.approx(config.initializer_range, rel=0.1)


def test_running_statistics_start_anew_with_their_block() -> None:
    model = unet()
    for block in (model.network.mid_block, model.network.up_blocks[0]):
        block.extra = nn.BatchNorm2d(2)
        block.extra.running_mean.fill_(5)

    def fresh() -> Any:
        new = unet()
        new.network.mid_block.extra, new.network.up_blocks[0].extra = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
        return new

    model.fresh = fresh  # type: ignore[method-assign]
    prepare(transfer_of(model, data_of("diffusion")), "layer_transfer")
    assert model.network.mid_block.extra.running_mean.tolist() == [5, 5]
    assert model.network.up_blocks[0].extra.running_mean.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("blocks", "said"),
    [
        ([0, 6], "6 will not do; the model has blocks 0 to 5, or -6 to -1"),
        ([-7], "-7 will not do; the model has blocks 0 to 5, or -6 to -1"),
        ([], "[] will not do; name at least one of blocks 0 to 5, and not all"),
        ([0, 1, 2, 3, 4, -1], "[0, 1, 2, 3, 4, -1] will not do; name at least one"),
        ("middle half", '"middle half" will not do'),
        ([True], "will not do"),
    ],
)
def test_blocks_that_do_not_exist(blocks: Any, said: str) -> None:
    with pytest.raises(PluginError, match="approach layer_transfer: option 'blocks': ") as refusal:
        prepare(transfer_of(language_model(), texts()), "layer_transfer", layer_transfer={"blocks": blocks})
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_nothing_is_lost_when_all_but_one_is_transferred() -> None:
    """With the last layer's fresh weights put back it is the pretrained model."""
    model = language_model("llama")
    expected, layer = outputs(model, texts()), model.network.model.layers[-1]
    before = {name: weight.detach().clone() for name, weight in layer.named_parameters()}
    prepare(transfer_of(model, texts()), "layer_transfer", layer_transfer={"blocks": [0, 1, 2, 3, -1]})
    assert not torch.equal(outputs(model, texts()), expected)
    layer.load_state_dict(before)
    assert torch.equal(outputs(model, texts()), expected)
