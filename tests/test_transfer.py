"""What a transfer keeps, and how it comes back."""

import gc
import weakref
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from bench.transfer import freeze, load, restore, save
from tests.loops import Line
from tests.models import (
    TRAINED,
    data_of,
    language_model,
    model_of,
    outputs,
    pictures,
    prepare,
    same,
    texts,
    transfer_of,
    unet,
    weights,
)


@pytest.mark.parametrize("family", TRAINED)
def test_all_that_trains_is_stored_and_what_is_frozen_is_not(family: str) -> None:
    model = model_of(family)
    transfer = transfer_of(model, data_of(family))
    assert {n for n, p in model.named_parameters() if p.requires_grad} <= set(transfer.stored())
    freeze(model.blocks()[:-1])
    kept = {n for n, p in model.named_parameters() if p.requires_grad}
    assert kept == set(transfer.stored()) & {n for n, _ in model.named_parameters()}
    assert 0 < len(kept) == len(transfer.trainable())


def test_new_parameters_are_stored_even_when_frozen() -> None:
    """A fixed random projection did not come with the pretrained model, so it must be kept."""
    model = unet()
    transfer = transfer_of(model, pictures())
    model.requires_grad_(False)
    model.network.conv_out.extra = nn.Parameter(torch.ones(3), requires_grad=False)
    assert set(transfer.stored()) == {"network.conv_out.extra"}


def test_a_new_parameter_is_never_taken_for_an_old_one() -> None:
    """Python may give the identity of a parameter that is gone to the next one that is made."""
    model = Line()
    transfer = transfer_of(model, texts())
    for _ in range(50):
        model.network.weight = nn.Parameter(torch.zeros(1, 1), requires_grad=False)
        assert set(transfer.stored()) == {"network.weight"}


def test_tied_weights_are_stored_once() -> None:
    transfer = transfer_of(language_model(), texts())
    names = [name for name in transfer.stored() if name.endswith(("wte.weight", "lm_head.weight"))]
    assert len(names) == 1


def test_buffers_are_stored_where_a_state_dict_has_them() -> None:
    model = Line()
    model.network = nn.Sequential(nn.BatchNorm1d(1), nn.Linear(1, 1))
    model.network.register_buffer("passing", torch.zeros(2), persistent=False)
    stored = transfer_of(model, texts()).stored()
    assert "network.0.running_mean" in stored
    assert "network.passing" not in stored


@pytest.mark.parametrize("approach", ["full_finetuning", "feature_extraction", "lora", "distillation"])
@pytest.mark.parametrize("family", TRAINED)
def test_saving_and_loading_change_no_bit(family: str, approach: str, tmp_path: Path) -> None:
    data = data_of(family)
    transfer = prepare(transfer_of(model_of(family), data), approach)
    transfer.fit(2)
    save(transfer.stored(), tmp_path / "stored.safetensors")
    again = prepare(transfer_of(model_of(family), data, seed=0), approach)
    load(again.stored(), tmp_path / "stored.safetensors")
    assert same(weights(again.model), weights(transfer.model))
    assert torch.equal(outputs(again.model, data), outputs(transfer.model, data))
    assert sum(p.numel() for p in transfer.trainable()) == sum(
        tensor.numel()
        for name, tensor in load_file(tmp_path / "stored.safetensors").items()
        if name in parameters(transfer.model)
    )


def parameters(model: nn.Module) -> set[str]:
    return {name for name, _ in model.named_parameters()}


def test_tensors_that_do_not_lie_in_a_row_are_saved(tmp_path: Path) -> None:
    turned = torch.arange(6.0).reshape(2, 3).T
    save({"turned": turned, "part": turned[1:]}, tmp_path / "stored.safetensors")
    found = load_file(tmp_path / "stored.safetensors")
    assert torch.equal(found["turned"], turned)
    assert torch.equal(found["part"], turned[1:])


def test_restoring_needs_every_value() -> None:
    transfer = transfer_of(Line(), texts())
    with pytest.raises(KeyError, match="weight"):
        restore(transfer.stored(), {})


@pytest.mark.parametrize("approach", ["from_scratch", "distillation"])
def test_a_network_that_was_replaced_takes_no_memory(approach: str) -> None:
    """A student is measured without its teacher, and a model from scratch without the pretrained one."""
    model = language_model()
    weight = weakref.ref(next(model.parameters()))
    transfer = prepare(transfer_of(model, texts()), approach)
    transfer.encode = lambda items: {}
    transfer.terms.clear()
    del model
    gc.collect()
    assert weight() is None
