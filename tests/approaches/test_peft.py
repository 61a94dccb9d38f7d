"""PEFT's methods by name: each trains what it adds, and leaves the network's own weights as they are."""

import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from peft.utils import PeftType
from torch import nn

from bench import plugins
from bench.approaches._peft import TransposedLinear
from bench.dataset import Dataset
from bench.errors import Incompatible, NotApplicable, PluginError
from bench.model import Model
from bench.transfer import Transfer, load, save
from tests.models import (
    EXEMPLARS,
    data_of,
    language_model,
    outputs,
    pictures,
    prepare,
    texts,
    transfer_of,
    unet,
    weights,
)
from tests.models import same as same_weights

LEFT_OUT = {
    "adaption_prompt": "replaces the attention of three architectures",
    "cpt": "reads a context with its labels beside the tokens",
    "multitask_prompt_tuning": "reads the number of a task beside the tokens",
    "poly": "reads the number of a task beside the tokens",
    "shadow": "runs a second network through PEFT's own wrapper of language models",
    "xlora": "mixes adapters that were trained before",
}
METHODS = get_args(plugins.find("approaches", "peft").load().__annotations__["method"])
PROMPTS = ("cartridge", "p_tuning", "prefix_tuning", "prompt_tuning")
SMALL: dict[str, dict[str, Any]] = {
    method: {"num_virtual_tokens": 4} for method in PROMPTS
} | {  # where PEFT's default is too much for a network of 16 features
    "adamss": {"r": 4},
    "c3a": {"block_size": 8},
    "fourierft": {"n_frequency": 20},
    "miss": {"r": 4},
    "psoft": {"r": 4},
    "road": {"group_size": 4},
    "shira": {"r": 2},
    "trainable_tokens": {"token_indices": [0, 260]},
    "vblora": {"vector_length": 4, "num_vectors": 16},
    "waveft": {"n_frequency": 20},
}
STARTS_ELSEWHERE = {"c3a", "fourierft", "unilora", "vblora", *PROMPTS}  # PEFT draws the first values at random
NOT_FOR = {("glora", "gpt2")} | {(method, "unet") for method in (*PROMPTS, "trainable_tokens")}
WARNINGS = pytest.mark.filterwarnings("ignore::UserWarning:peft", "ignore:Sparse invariant checks")


def model_of(kind: str) -> tuple[Model, Dataset]:
    return (unet(), pictures()) if kind == "unet" else (language_model(kind), texts())


def with_peft(kind: str, method: str, steps: int = 3, **options: Any) -> Transfer:
    model, data = model_of(kind)
    transfer = transfer_of(model, data, steps=steps, weight_decay=0.1, learning_rate=0.01)
    return prepare(transfer, "peft", peft={"method": method, "options": options})


def test_the_methods_are_those_of_the_installed_peft() -> None:
    assert {kind.value.lower() for kind in PeftType} == {*METHODS, *LEFT_OUT}
    assert not {*METHODS} & {*LEFT_OUT}
    assert list(METHODS) == sorted(METHODS)


@WARNINGS
@pytest.mark.parametrize("kind", ["gpt2", "llama", "unet"])
@pytest.mark.parametrize("method", METHODS)
def test_a_method_trains_what_it_adds_and_nothing_else(method: str, kind: str, tmp_path: Path) -> None:
    if (method, kind) in NOT_FOR:
        with pytest.raises(NotApplicable) as caught:
            with_peft(kind, method, **SMALL.get(method, {}))
        assert len(str(caught.value).split()) > 5
        assert "\n" not in str(caught.value)
        return
    transfer = with_peft(kind, method, **SMALL.get(method, {}))
    model, data = transfer.model, transfer.data
    plain, _ = model_of(kind)
    known = {name: weight for name, weight in model.named_parameters() if transfer.is_pretrained(weight)}
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    assert len(known) == len(list(plain.parameters())), "all pretrained weights are still there"
    assert transfer.trainable()
    assert not set(transfer.trainable()) & set(known.values())
    started = outputs(model, data)
    assert torch.allclose(started, outputs(plain, data), rtol=1e-3, atol=1e-5) == (method not in STARTS_ELSEWHERE)

    transfer.practise("last weights stay", 3)
    assert all(torch.equal(weight, before[name]) for name, weight in known.items())
    now = dict(model.named_parameters())
    assert {name for name, value in before.items() if not torch.equal(now[name], value)} == {
        name for name, weight in now.items() if weight in set(transfer.trainable())
    }
    assert not torch.equal(outputs(model, data), started)

    save(transfer.stored(), tmp_path / "stored.safetensors")
    again = with_peft(kind, method, **SMALL.get(method, {}))
    load(again.stored(), tmp_path / "stored.safetensors")
    assert torch.equal(outputs(again.model, data), outputs(model, data))


@pytest.mark.parametrize("method", PROMPTS)
def test_prompts_need_an_input_to_stand_before(method: str) -> None:
    with pytest.raises(NotApplicable, match=f"^peft with {method} needs an input that learned vectors can be put bef"):
        with_peft("unet", method)


def test_the_first_class_name_and_the_method_are_the_same() -> None:
    one = prepare(transfer_of(language_model(), texts()), "lora", lora={"rank": 3, "alpha": 5.0})
    other = prepare(transfer_of(language_model(), texts()), "peft", peft={"options": {"r": 3, "lora_alpha": 5}})
    assert same_weights(weights(one.model), weights(other.model))


# Options -------------------------------------------------------------------------------------------------------------


def test_a_method_that_does_not_exist_is_refused_without_torch() -> None:
    code = (
        "import sys; from bench import plugins\n"
        "try: plugins.find('approaches', 'peft').check({'method': 'lorra'})\n"
        "except Exception as error: print(error)\n"
        "assert 'torch' not in sys.modules and 'peft' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("approach peft: option 'method': \"lorra\" will not do; it should be 'adalora', ")


WHERE = "approach peft: option 'options': "


@pytest.mark.parametrize(
    ("method", "options", "said"),
    [
        ("lora", {"rank": 8}, "no 'rank'; lora has: alpha_pattern, "),
        ("lora", {"lora_alpa": 8}, "no 'lora_alpa'; did you mean 'lora_alpha'? lora has: "),
        ("lora", {"task_type": "CAUSAL_LM"}, "no 'task_type'; lora has: "),
        ("ia3", {"r": 8}, "no 'r'; ia3 has: exclude_modules, init_ia3_weights, target_modules"),
        ("lora", {"r": "8"}, "r: '8' will not do; lora wants int"),
        ("loha", {"rank_dropout": True}, "rank_dropout: True will not do; loha wants float"),
        ("vera", {"target_modules": 3}, "target_modules: 3 will not do; vera wants Union[list[str], str, NoneType]"),
        ("lora", {"r": 0}, "{'r': 0} will not do; PEFT says: `r` should be a positive integer value"),
        ("adalora", {"tinit": 5}, "{'total_step': 3, "),
        ("lora", {"target_modules": ["c_atn"]}, "target_modules: 'c_atn' will not do; did you mean 'c_attn'? "),
        ("lora", {"target_modules": ["ln_1"]}, "target_modules: 'transformer.h.0.ln_1' will not do; PEFT says: "),
        ("lora", {"target_modules": r".*\.nothing"}, "{'target_modules': '.*\\\\.nothing'} will not do; "),
        ("trainable_tokens", {}, "trainable_tokens trains no tokens; give it token_indices"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit(method: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(PluginError) as caught:
        with_peft("gpt2", method, **options)
    assert str(caught.value).startswith(WHERE + said)
    assert "\n" not in str(caught.value)


@WARNINGS
def test_layers_too_small_for_a_method_are_told_in_its_words() -> None:
    with pytest.raises(NotApplicable, match=r"^c3a can be put beside no layer of LlamaForCausalLM: PEFT says: .*block"):
        with_peft("llama", "c3a")


def test_a_prompt_that_leaves_no_room() -> None:
    with pytest.raises(PluginError, match=r"^approach peft: option 'options.num_virtual_tokens': 40 will not do; "):
        with_peft("gpt2", "prompt_tuning", num_virtual_tokens=40)


def adapted(transfer: Transfer) -> set[str]:
    """Names of the layers that have an update."""
    names = {name for name, _ in transfer.model.network.named_parameters() if ".lora_A" in name}
    return {name.partition(".lora_A")[0] for name in names}


def test_targets_in_peft_s_own_terms() -> None:
    every = adapted(with_peft("gpt2", "lora"))
    assert len(every) == 16
    cases: list[tuple[dict[str, Any], set[str]]] = [
        ({"target_modules": "all-linear"}, every),
        ({"target_modules": ["attn.c_proj"]}, {name for name in every if name.endswith("attn.c_proj")}),
        ({"target_modules": r".*h\.[12]\..*c_fc"}, {f"transformer.h.{layer}.mlp.c_fc" for layer in (1, 2)}),
        ({"exclude_modules": ["c_proj"]}, {name for name in every if not name.endswith("c_proj")}),
        ({"layers_to_transform": [3]}, {name for name in every if ".h.3." in name}),
        ({"target_modules": ["lm_head"]}, {"lm_head"}),
    ]
    for options, wanted in cases:
        assert adapted(with_peft("gpt2", "lora", **options)) == wanted
        assert wanted


def test_a_method_has_each_layer_that_it_can_have() -> None:
    """HiRA knows convolutions, VeRA does not."""
    transfer = with_peft("unet", "vera")
    layers = [module for module in transfer.model.network.modules() if hasattr(module, "vera_lambda_b")]
    assert {type(layer.base_layer) for layer in layers} == {nn.Linear}
    transfer = with_peft("unet", "hira")
    layers = [module for module in transfer.model.network.modules() if hasattr(module, "hira_A")]
    assert {type(layer.base_layer) for layer in layers} == {nn.Linear, nn.Conv2d}


# Single methods ------------------------------------------------------------------------------------------------------


def test_a_layer_that_holds_its_weight_the_other_way_round() -> None:
    """GPT-2's are no linear layers to most methods; turned, the same weight computes the same."""
    layer = language_model().network.transformer.h[0].mlp.c_fc
    turned, given = TransposedLinear(layer), torch.randn(2, 3, 16)
    assert torch.allclose(turned(given), layer(given), rtol=1e-5, atol=1e-6)
    assert turned.weight.shape == (64, 16)
    assert {id(weight) for weight in turned.parameters()} == {id(layer.weight), id(layer.bias)}
    assert len([m for m in with_peft("gpt2", "loha").model.modules() if isinstance(m, TransposedLinear)]) == 16
    assert not [m for m in with_peft("gpt2", "lora").model.modules() if isinstance(m, TransposedLinear)]


@WARNINGS
def test_what_does_not_start_as_the_layer_it_stands_for_is_left_alone() -> None:
    """PEFT's OFT adds up the overlapping patches of a convolution."""
    transfer = with_peft("unet", "oft")
    layers = [module for module in transfer.model.network.modules() if hasattr(module, "oft_R")]
    kernels = {layer.base_layer.kernel_size for layer in layers if isinstance(layer.base_layer, nn.Conv2d)}
    assert kernels == {(1, 1)}


def ranks(transfer: Transfer) -> int:
    """Updates of rank one that AdaLoRA has left in the network."""
    return sum(int((weight != 0).sum()) for name, weight in transfer.model.named_parameters() if "lora_E" in name)


@pytest.mark.parametrize("kind", ["gpt2", "unet"])
def test_adalora_cuts_its_ranks_down_to_the_budget(kind: str) -> None:
    transfer = with_peft(kind, "adalora", steps=6, init_r=4, target_r=2, tinit=1, tfinal=1, deltaT=1)
    count = sum("lora_E" in name for name, _ in transfer.model.named_parameters())
    left = list[int]()
    transfer.progress = lambda taken: left.append(ranks(transfer))
    transfer.fit(6)
    assert left[0] == 4 * count, "in the first step all updates learn"
    assert left == sorted(left, reverse=True)
    assert left[-1] == left[-2] == 2 * count


def test_adalora_keeps_its_factors_near_orthogonal() -> None:
    transfer = with_peft("gpt2", "adalora", orth_reg_weight=0.3, init_r=3, target_r=2)
    batch = transfer.model.encode(transfer.data.test)
    expected = []
    for name, weight in transfer.model.named_parameters():
        if "lora_A" in name or "lora_B" in name:
            product = weight @ weight.T if "lora_A" in name else weight.T @ weight
            expected.append((product - torch.eye(3)).norm())
    (term,) = transfer.terms
    assert torch.allclose(term(batch, torch.zeros(())), 0.3 * torch.stack(expected).mean())


def test_adalora_and_a_thawing_network() -> None:
    """Where nothing learns yet there is no gradient to look at."""
    transfer = transfer_of(language_model(), texts(), steps=4)
    prepare(transfer, "peft + gradual_unfreezing", peft={"method": "adalora"})
    transfer.run()
    assert transfer.taken == 4


def test_adamss_gives_its_subspaces_up_as_it_goes() -> None:
    allocated = {"use_asa": True, "asa_target_subspaces": 30, "init_warmup": 1, "final_warmup": 6, "mask_interval": 2}
    transfer = with_peft("llama", "adamss", steps=6, r=4, num_subspaces=2, **allocated)
    learning = list[int]()
    transfer.progress = lambda taken: learning.append(len(transfer.trainable()))
    transfer.fit(6)
    assert learning[-1] < learning[0]


@pytest.mark.parametrize("family", EXEMPLARS)
def test_a_new_end_trains_on_beside_it(family: str) -> None:
    transfer = transfer_of(unet() if family == "diffusion" else language_model(), data_of(family))
    prepare(transfer, "feature_extraction + peft", peft={"method": "loha"})
    fresh = {weight for part in transfer.model.generating_end() for weight in part.parameters()}
    assert fresh <= set(transfer.trainable())


@pytest.mark.parametrize(
    ("method", "options", "said"),
    [
        ("lora", {"target_modules": "("}, "target_modules: '(' will not do; missing )"),
        ("lora", {"bias": "all"}, "no 'bias'"),
        (
            "lora",
            {"init_lora_weights": "eva"},
            "init_lora_weights: 'eva' will not do; pretrained weights stay as they are",
        ),
        ("prompt_tuning", {"num_virtual_tokens": 0}, "0 will not do; the model has 32 positions"),
        ("trainable_tokens", {"token_indices": [999_999]}, "[999999]} will not do"),
    ],
)
def test_what_would_change_pretrained_weights_or_nothing_is_refused(
    method: str, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(PluginError) as refused:
        with_peft("gpt2", method, **options)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@WARNINGS
def test_what_peft_breaks_at_is_no_lack_of_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    """A method that says which layers it is for does not apply to others; one that ends in an error has failed."""

    def breaks(*given: Any, **named: Any) -> None:
        raise AttributeError("no attribute of that name any more")

    monkeypatch.setattr("bench.approaches._peft._tuned", breaks)
    with pytest.raises(Incompatible, match=r"PEFT breaks: AttributeError: no attribute .* \(with peft \d") as caught:
        with_peft("gpt2", "lora")
    assert caught.value.status == "failed"
