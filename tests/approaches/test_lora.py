"""Low-rank updates beside weights that stay as they are."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.dataset import Dataset
from bench.errors import NotApplicable, PluginError
from bench.model import Batch
from bench.transfer import Transfer
from tests.metrics.doubles import NoisyPictures
from tests.models import (
    EXEMPLARS,
    data_of,
    fitted,
    language_model,
    model_of,
    outputs,
    pictures,
    prepare,
    texts,
    transfer_of,
    unet,
)


class Convolutions(NoisyPictures):
    """Nothing but convolutions, one of them in groups."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1, groups=3))
        self.network.append(nn.Conv2d(6, 1, 3, padding=1))

    def forward(self, batch: Batch) -> Tensor:
        predicted: Tensor = self.network(batch["images"].permute(0, 3, 1, 2).float() / 255)
        return predicted

    def generating_end(self) -> list[nn.Module]:
        return [self.network[-1]]  # type: ignore[index]


def with_lora(model: Any, data: Dataset, **options: Any) -> Transfer:
    return prepare(transfer_of(model, data, weight_decay=0.1), "lora", lora=options)


def adapted(transfer: Transfer) -> set[str]:
    """Names of the layers that have an update."""
    return {
        name.partition(".lora_A")[0].removeprefix("network.")
        for name, parameter in transfer.model.named_parameters()
        if ".lora_A" in name and parameter.requires_grad
    }


@pytest.mark.parametrize("family", EXEMPLARS)
def test_it_trains_its_own_weights_and_no_other(family: str) -> None:
    model, data = model_of(family), data_of(family)
    before = {parameter: parameter.detach().clone() for parameter in model.parameters()}
    transfer = fitted(with_lora(model, data))
    assert all(torch.equal(parameter, value) for parameter, value in before.items())
    own = {name for name, parameter in model.named_parameters() if parameter not in before}
    assert own == {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert own == set(transfer.stored())
    assert all("lora_" in name for name in own)


@pytest.mark.parametrize("family", EXEMPLARS)
def test_it_starts_as_the_pretrained_model(family: str) -> None:
    data = data_of(family)
    assert torch.equal(outputs(with_lora(model_of(family), data).model, data), outputs(model_of(family), data))


@pytest.mark.parametrize("family", EXEMPLARS)
def test_every_linear_and_convolutional_layer_but_the_last(family: str) -> None:
    model, data = model_of(family), data_of(family)
    end = {id(part) for part in model.generating_end()[-1].modules()}
    wanted = {
        name
        for name, module in model.network.named_modules()
        if type(module).__name__ in ("Linear", "Conv1D", "Conv2d") and id(module) not in end
    }
    assert adapted(with_lora(model, data)) == wanted
    assert len(wanted) > 10


@pytest.mark.parametrize("rank", [1, 3])
def test_rank_is_the_rank_of_the_update(rank: int) -> None:
    model = language_model()
    layer = model.network.transformer.h[0].mlp.c_fc
    before = layer.weight.detach().clone()
    fitted(with_lora(model, texts(), rank=rank))
    update = model.network.transformer.h[0].mlp.c_fc.get_delta_weight("default")
    assert update.shape == before.shape, "Conv1D holds its weight the other way round"
    assert int(torch.linalg.matrix_rank(update.detach())) == rank


def test_alpha_scales_the_update() -> None:
    updates = []
    for alpha in (8.0, 16.0):
        model = language_model()
        with_lora(model, texts(), alpha=alpha)
        layer = model.network.transformer.h[0].mlp.c_fc
        nn.init.ones_(layer.lora_A["default"].weight)
        nn.init.ones_(layer.lora_B["default"].weight)
        updates.append(layer.get_delta_weight("default"))
    assert torch.allclose(2 * updates[0], updates[1])


def test_a_network_of_convolutions_alone() -> None:
    """PEFT's own ``all-linear`` finds nothing in one; a grouped layer takes ranks its groups divide."""
    data = pictures()
    assert adapted(with_lora(Convolutions(), data, rank=2)) == {"0"}
    with pytest.warns(UserWarning, match="Merging is not supported"):
        transfer = with_lora(Convolutions(), data, rank=3)
    assert adapted(transfer) == {"0", "1"}
    assert transfer.model(transfer.model.encode(data.test)).shape == (6, 1, 8, 8)


def test_attention_alone() -> None:
    found = adapted(with_lora(language_model(), texts(), layers="attention"))
    assert found == {f"transformer.h.{layer}.attn.{part}" for layer in range(4) for part in ("c_attn", "c_proj")}
    with pytest.raises(NotApplicable, match="no linear or convolutional layer"):
        with_lora(Convolutions(), pictures(), layers="attention")


def test_layers_by_name() -> None:
    """A name, a part of one between dots, or several parts; not a part of a word."""
    every = adapted(with_lora(language_model(), texts()))
    for wanted, found in {
        ("mlp",): {name for name in every if ".mlp." in name},
        ("attn.c_proj",): {name for name in every if name.endswith("attn.c_proj")},
        ("c_fc", "h.2"): {name for name in every if name.endswith("c_fc") or ".h.2." in name},
        ("transformer.h.0.mlp.c_fc",): {"transformer.h.0.mlp.c_fc"},
    }.items():
        assert adapted(with_lora(language_model(), texts(), layers=list(wanted))) == found
        assert found
    every = adapted(with_lora(unet(), pictures()))
    found = adapted(with_lora(unet(), pictures(), layers=["conv1", "mid_block"]))
    assert found == {name for name in every if name.endswith("conv1") or name.startswith("mid_block")}


@pytest.mark.parametrize("wanted", ["c_fcc", "ml", "lm_head", "ln_1"])
def test_a_name_that_no_layer_has(wanted: str) -> None:
    """The last layer and norms have no update, so they are not among the names either."""
    with pytest.raises(PluginError) as caught:
        with_lora(language_model(), texts(), layers=["attn", wanted])
    said = str(caught.value)
    assert said.startswith(f"approach lora: option 'layers': {wanted!r} will not do; ")
    assert said.endswith("the model has: c_attn, attn, h, transformer, c_proj, c_fc, mlp")
    assert ("did you mean 'c_fc'?" in said) == (wanted == "c_fcc")


def test_no_names() -> None:
    with pytest.raises(
        PluginError, match=r"^approach lora: option 'layers': \[\] will not do; the model has: c_attn, "
    ):
        with_lora(language_model(), texts(), layers=[])


def test_targets_are_the_named_ones_whatever_the_configuration_says() -> None:
    """Given a configuration it knows, PEFT would turn a shared expert's layers into updates of all routed experts."""
    transfer = with_lora(language_model("qwen3_next"), texts(), rank=2)
    assert "model.layers.0.mlp.shared_expert.gate_proj" in adapted(transfer)
    assert {len(p) for name, p in transfer.model.named_parameters() if "lora_A" in name} == {2}


def test_what_a_kernel_passes_by_is_left_alone() -> None:
    found = adapted(with_lora(language_model("mamba"), texts()))
    assert {name.rpartition(".")[2] for name in found} == {"in_proj", "x_proj", "dt_proj"}


def test_what_only_looks_like_a_linear_layer_is_left_alone() -> None:
    class Router(nn.Linear):
        def forward(self, features: Tensor) -> Any:
            return super().forward(features).topk(1)

    model = language_model()
    model.network.transformer.h[0].router = Router(4, 4)
    assert not any("router" in name for name in adapted(with_lora(model, texts())))


def test_dropout_is_off_in_evaluation() -> None:
    transfer = fitted(with_lora(unet(), pictures(), dropout=0.5))
    assert torch.equal(outputs(transfer.model, pictures()), outputs(transfer.model, pictures()))


@pytest.mark.parametrize("family", EXEMPLARS)
def test_a_new_end_trains_on_beside_it(family: str) -> None:
    """PEFT freezes all that is not its own; a head that starts anew would stay as random as it is."""
    transfer = prepare(transfer_of(model_of(family), data_of(family)), "feature_extraction + lora")
    fresh = [p for p in transfer.model.parameters() if not transfer.is_pretrained(p)]
    assert fresh
    assert all(parameter.requires_grad for parameter in fresh)
    assert not any(p.requires_grad for p in transfer.model.parameters() if transfer.is_pretrained(p))


@pytest.mark.parametrize("family", EXEMPLARS)
def test_a_network_that_starts_from_scratch_is_frozen_as_any_other(family: str) -> None:
    transfer = prepare(transfer_of(model_of(family), data_of(family)), "from_scratch + lora")
    assert {name for name, p in transfer.model.named_parameters() if p.requires_grad} == {
        name for name, _ in transfer.model.named_parameters() if ".lora_" in name
    }
