"""What PEFT put beside a network: written in PEFT's own format, or merged into the weights."""

import copy
import warnings
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from bench.transfer import Transfer

_TASKS = {"AutoModelForCausalLM": "CAUSAL_LM", "AutoModelForSeq2SeqLM": "SEQ_2_SEQ_LM"}
_WITHIN = "network."  # what layers' names begin with where they were put in (bench.approaches._peft.inject)
_WRITTEN = 2  # tokens
_AROUND = f"model.{_WITHIN}"  # and those of its tuner's weights


class Unfit(Exception):
    """Why something cannot be written in this way."""


def write(transfer: Transfer, into: Path, base: str, revision: str | None, loader: str) -> tuple[str, int]:
    """Write ``adapter_config.json`` and ``adapter_model.safetensors``; :class:`Unfit` where that would not be all.

    Args:
        transfer: trained.
        into: a folder.
        base: name or folder of the pretrained model, as the configuration says it.
        revision: of it.
        loader: name of the class that loads it.

    Returns:
        The method's name in PEFT, and how many numbers there are.
    """
    if len(transfer.adapters) != 1:
        raise Unfit(f"{len(transfer.adapters)} adapters are put beside it, one on another")
    (tuner,) = transfer.adapters
    prompt = isinstance(tuner, PeftModel)
    config = copy.deepcopy(tuner.peft_config["default"])
    state = _state(transfer, tuner, prompt)
    for field in ("target_modules", "feedforward_modules"):
        if names := getattr(config, field, None):
            setattr(config, field, sorted(name.removeprefix(_WITHIN) for name in names))
    config.base_model_name_or_path, config.revision, config.inference_mode = base, revision, True
    config.task_type = config.task_type or _TASKS.get(loader.rpartition(".")[2])
    into.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(into)
    tensors = {name: value.detach().cpu().contiguous() for name, value in state.items()}
    save_file(tensors, into / "adapter_model.safetensors", metadata={"format": "pt"})
    return str(config.peft_type.value).lower(), sum(value.numel() for value in tensors.values())


def _state(transfer: Transfer, tuner: Any, prompt: bool) -> dict[str, Tensor]:
    """What PEFT keeps of it; all that the transfer keeps must be in it."""
    if prompt:
        known: dict[str, Tensor] = get_peft_model_state_dict(tuner, save_embedding_layers=False)
        return known  # a prompt that a network computes is kept as it was computed
    found: dict[str, Tensor] = get_peft_model_state_dict(tuner, save_embedding_layers=False)
    state = {f"base_model.{name.replace(_AROUND, 'model.', 1)}": value for name, value in found.items()}
    parameters = {name for name, _ in transfer.model.named_parameters()}
    for name in transfer.stored().keys() & parameters:
        called = f"base_model.model.{name.removeprefix(_WITHIN)}".replace(".default", "")
        if not {called, called.removesuffix(".weight")} & state.keys():
            raise Unfit(f"beside the adapter {name} trains, which PEFT's format has no place for")
    return state


def load(network: nn.Module, folder: Path) -> nn.Module:
    """A pretrained network with the adapter in a folder, by PEFT alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # PEFT asks the network by names of older versions
        loaded: nn.Module = PeftModel.from_pretrained(network, folder)
    return loaded.eval()


@torch.no_grad()
def generated(network: Any) -> Tensor:
    """What a network says of the first tokens that it writes, likeliest ones: with learned vectors before a row that is
    another computation than reading one."""
    first = torch.zeros(1, 1, dtype=torch.int64, device=next(network.parameters()).device)
    given = {"input_ids": first, "attention_mask": torch.ones_like(first)}
    if getattr(network.config, "is_encoder_decoder", False):
        given |= {"decoder_input_ids": first}
    settings = {"do_sample": False, "return_dict_in_generate": True, "output_logits": True, "eos_token_id": None}
    drawn = network.generate(**given, max_new_tokens=_WRITTEN, pad_token_id=0, **settings)
    return torch.stack(drawn.logits, dim=1).float().cpu()


def merge(transfer: Transfer) -> None:
    """Add adapters to the weights they are beside; :class:`Unfit` where PEFT cannot."""
    _turn(transfer.model.network)
    for tuner in reversed(transfer.adapters):
        if isinstance(tuner, PeftModel):
            raise Unfit("learned vectors before each row are no weights that could be merged")
        try:
            transfer.model.network = tuner.merge_and_unload(progressbar=False)["network"]
        except Exception as error:
            raise Unfit(f"PEFT cannot merge it: {' '.join(str(error).split())}") from error
    network = transfer.model.network
    for name, module in list(network.named_modules()):
        if isinstance(module, _Turned):
            layer = Conv1D(module.out_features, module.in_features)
            layer.weight, layer.bias = nn.Parameter(module.weight.detach().t().contiguous()), module.bias
            network.set_submodule(name, layer)


class _Turned(nn.Linear):
    """A layer of GPT-2's kind as the linear layer it is, with a weight of its own that PEFT can add to."""


def _turn(network: nn.Module) -> None:
    """What was turned round for PEFT (bench.approaches._peft.TransposedLinear) is given a weight of its own."""
    for name, module in list(network.named_modules()):
        if isinstance(turned := getattr(module, "turned", None), nn.Parameter):
            layer = _Turned(turned.shape[0], turned.shape[1], device=turned.device)
            layer.weight, layer.bias = nn.Parameter(turned.detach().t().contiguous()), module.bias
            network.set_submodule(name, layer)
