"""Models small enough to train in a blink, the domains they learn, and the way of a model through an approach."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDPMScheduler, UNet2DModel
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from bench import plugins
from bench.budget import Budget
from bench.dataset import Dataset, Items, items_hash
from bench.families._tokenizer import byte_level_bpe
from bench.families.causal_lm import CausalLM
from bench.families.diffusion import Diffusion
from bench.model import Batch, Model
from bench.training import loop
from bench.transfer import Transfer

EXEMPLARS = ("causal_lm", "diffusion")
"""One family that reads texts and one that makes pictures, for tests of mechanisms that no family shapes."""

TRAINED = tuple(
    family for family in plugins.names("families") if "network" in plugins.find("families", family).constants["OFFERS"]
)
"""All families but those whose weights somebody else has."""

CONTEXT = 12
VOCABULARY = 300

_LLAMA = {"hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8}
_SMALL = {"hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2}
_EXPERTS = {"num_local_experts": 4, "num_experts_per_tok": 2}
_POSITIONS = {"max_position_embeddings": 32}

ARCHITECTURES: dict[str, dict[str, Any]] = {
    "bart": {"d_model": 16, "encoder_layers": 4, "decoder_ffn_dim": 24, "decoder_attention_heads": 2},
    "bert": _SMALL | {"is_decoder": True},
    "bloom": {"hidden_size": 16, "n_head": 2},
    "codegen": {"n_embd": 16, "n_head": 4, "n_inner": 24, "rotary_dim": 4, "n_positions": 32},
    "falcon": {"hidden_size": 16, "num_attention_heads": 2, "ffn_hidden_size": 24},
    "gemma2": _LLAMA | {"layer_types": ["sliding_attention", "full_attention"] * 2},
    "gpt2": {"n_embd": 16, "n_head": 2, "n_positions": 32},
    "gpt_bigcode": {"n_embd": 16, "n_head": 2, "n_inner": 24, "n_positions": 32},
    "gpt_neox": _SMALL | _POSITIONS,
    "gpt_oss": _LLAMA | _EXPERTS,
    "llama": _LLAMA | _POSITIONS,
    "mamba": {"hidden_size": 16, "state_size": 4, "time_step_rank": 2},
    "mistral": _LLAMA | {"sliding_window": 4},
    "mixtral": _LLAMA | _EXPERTS,
    "mpt": {"d_model": 16, "n_heads": 2, "expansion_ratio": 2, "max_seq_len": 32},
    "olmo2": _LLAMA,
    "opt": {"hidden_size": 16, "ffn_dim": 24, "num_attention_heads": 2, "word_embed_proj_dim": 8},
    "phi": _SMALL,
    "qwen3": _LLAMA | {"tie_word_embeddings": True},
    "qwen3_next": _LLAMA
    | {"layer_types": ["linear_attention", "full_attention"] * 2, "linear_key_head_dim": 8, "linear_value_head_dim": 8}
    | {"linear_num_key_heads": 2, "linear_num_value_heads": 2, "num_experts": 4, "num_experts_per_tok": 2}
    | {"moe_intermediate_size": 8, "shared_expert_intermediate_size": 8},
    "stablelm": _SMALL | {"num_key_value_heads": 2},
    "starcoder2": _SMALL | {"num_key_value_heads": 1},
    "xglm": {"d_model": 16, "ffn_dim": 24, "attention_heads": 2},
}
"""Kind of model to its sizes; each has four layers."""

_DEPTH = {"bart": "decoder_layers"}


def texts(train: int = 12) -> Dataset:
    """Short sentences, some of which are longer than a row holds."""
    known = [f"The number {i} follows {i - 1}" + " and so on" * (i % 3 == 0) + "." for i in range(train + 12)]
    return Dataset("sentences", "text", known[:train], known[train : train + 6], known[train + 6 :])


def pictures(train: int = 12, shape: tuple[int, int, int] = (8, 8, 1)) -> Dataset:
    """Bright discs on dark ground; ``shape`` is height, width, channels."""
    height, width, channels = shape
    random = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    drawn = []
    for _ in range(train + 12):
        distance = np.hypot(y - random.uniform(2, height - 3), x - random.uniform(2, width - 3))
        disc = 255 * np.clip(3 - distance, 0, 1)
        drawn.append(disc[..., None] * random.uniform(0.5, 1, channels))
    images = np.array(drawn).astype(np.uint8)
    return Dataset("discs", "image", images[:train], images[train : train + 6], images[train + 6 :])


def source_texts(train: int = 24) -> Dataset:
    """Sentences of another kind than :func:`texts`, in two sub-domains."""
    known = [f"{'Take' if i % 2 else 'Leave'} {i} apples and {i + 2} pears, please." for i in range(train + 12)]
    groups = np.arange(train) % 2
    return Dataset("orders", "text", known[:train], known[train : train + 6], known[train + 6 :], groups=groups)


def source_pictures(train: int = 24, shape: tuple[int, int, int] = (8, 8, 1)) -> Dataset:
    """Bright bars on dark ground, in two sub-domains: to the left and to the right."""
    height, width, channels = shape
    random = np.random.default_rng(1)
    images = np.zeros((train + 12, height, width, channels), np.uint8)
    for image in images:
        image[:, random.integers(width)] = random.integers(128, 256)
    groups = images[:train].max(axis=(1, 3)).argmax(axis=1) * 2 // width
    return Dataset("bars", "image", images[:train], images[train : train + 6], images[train + 6 :], groups=groups)


def tokenizer() -> PreTrainedTokenizerFast:
    return byte_level_bpe(texts(), VOCABULARY)


def network(kind: str = "gpt2", layers: int = 4, **sizes: Any) -> Any:
    """A causal language model of transformers, in which no weight has the value it was initialised with."""
    end = tokenizer().eos_token_id
    known = {_DEPTH.get(kind, "num_hidden_layers"): layers, "vocab_size": len(tokenizer()), "pad_token_id": end}
    known |= {"bos_token_id": end, "eos_token_id": end} | ARCHITECTURES[kind] | sizes
    torch.manual_seed(0)
    return disturbed(AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **known)))


def language_model(
    kind: str = "gpt2", layers: int = 4, sizes: dict[str, Any] | None = None, **options: Any
) -> CausalLM:
    options = {"context": CONTEXT, "max_new_tokens": 8} | options
    return CausalLM(network(kind, layers, **sizes or {}), tokenizer(), **options).eval()


def unet(shape: tuple[int, int, int] = (8, 8, 1), scheduler: dict[str, Any] | None = None, **sizes: Any) -> Diffusion:
    """A U-Net with attention for images of ``shape``: height, width, channels."""
    height, width, channels = shape
    known: dict[str, Any] = {"block_out_channels": (8, 16), "layers_per_block": 2, "norm_num_groups": 4}
    known |= {"down_block_types": ("DownBlock2D", "AttnDownBlock2D"), "up_block_types": ("AttnUpBlock2D", "UpBlock2D")}
    known |= {"sample_size": (height, width), "in_channels": channels, "out_channels": channels} | sizes
    torch.manual_seed(0)
    return Diffusion(disturbed(UNet2DModel(**known)), DDPMScheduler(**scheduler or {}), inference_steps=3).eval()


def small(family: str) -> Any:
    """The module in ``tests/small`` that has a family's small model and what it learns: one family, one file."""
    return importlib.import_module(f"tests.small.{family}")


def model_of(family: str) -> Model:
    model: Model = small(family).model()
    return model.eval()


def data_of(family: str) -> Dataset:
    data: Dataset = small(family).data()
    return data


def source_of(family: str) -> Dataset:
    """What the model of a family knows; another domain than :func:`data_of` its target."""
    source: Dataset = small(family).source()
    return source


def pool_of(family: str) -> Items:
    """All there is of the target to train on: the training split of :func:`data_of` and as much again."""
    pool: Items = small(family).pool()
    return pool


@torch.no_grad()
def disturbed(network: Any) -> Any:
    """The network with noise on each weight, as if it had learned."""
    for parameter in network.parameters():
        if parameter.is_floating_point():
            parameter += 0.02 * torch.randn_like(parameter)
    return network


def transfer_of(
    model: Model,
    data: Dataset,
    *,
    steps: int = 3,
    seed: int = 0,
    source: Dataset | None = None,
    pool: Items = (),
    **budget: Any,
) -> Transfer:
    """A transfer as the runner sets it up, before any approach."""
    encoded: dict[str, Batch] = {}

    def encode(items: Items) -> Batch:
        key = items_hash(items) + repr(transfer.model.encoding())
        if key not in encoded:
            encoded[key] = transfer.model.encode(items)
        return encoded[key]

    torch.manual_seed(seed)
    spent = Budget(**{"steps": steps, "batch_size": 4, "validations": 2} | budget)
    known: dict[str, Any] = {"source": source, "pool": pool, "loop": loop}
    transfer = Transfer(model=model, data=data, budget=spent, steps=steps, seed=seed, encode=encode, **known)
    return transfer


def prepare(transfer: Transfer, approach: str, **options: dict[str, Any]) -> Transfer:
    """Apply ``lora + augmentation``, with the options of each part under its name."""
    for part in approach.split(" + "):
        plugin = plugins.find("approaches", part)
        plugin.load()(transfer, **plugin.check(options.get(part, {})))
    return transfer


def fitted(transfer: Transfer) -> Transfer:
    transfer.run()
    return transfer


def weights(model: Model) -> dict[str, Tensor]:
    """A copy of all weights and buffers."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Whether two sets of weights are equal to the last bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def batch_of(model: Model, data: Dataset, rows: int = 4, seed: int = 0) -> Batch:
    """The first test rows, those once more where there are fewer, with the noise a loss needs."""
    encoded = model.encode(data.test)
    which = torch.arange(rows) % len(encoded["item"])
    return model.draw(model.collate(encoded, which), torch.Generator().manual_seed(seed))


def whole(model: Model, items: Items) -> Batch:
    """All rows of some items, as one batch."""
    rows = model.encode(items)
    return model.collate(rows, torch.arange(len(rows["item"])))


def outputs(model: Model, data: Dataset) -> Tensor:
    with torch.no_grad():
        predicted: Tensor = model.eval()(batch_of(model, data))
    return predicted


def saved(model: Model, folder: Path) -> Path:
    model.save(folder)
    return folder
