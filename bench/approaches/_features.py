"""The hidden features of chosen blocks: kept from a pass through the network, and brought into one form."""

from collections.abc import MutableMapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from bench.approaches._blocks import called, on_leaving
from bench.errors import NotApplicable, PluginError
from bench.model import Batch, Model
from bench.transfer import Transfer


def chosen(transfer: Transfer, approach: str, blocks: list[int] | Literal["all", "features"]) -> list[int]:
    """Numbers of the blocks an option ``blocks`` names, counted as in :meth:`Model.blocks`.

    Args:
        transfer: with the model in question.
        approach: that has the option, for its complaint.
        blocks: numbers, negative ones counted from the output; ``all`` that features pass through; or ``features``:
            the last one before the generating end, which hands on what data is made from.
    """
    model = transfer.model
    every, inner = model.blocks(), {id(block) for block in called(model)}
    known = [number for number, block in enumerate(every) if id(block) in inner]
    if not known:
        raise NotApplicable(f"{type(model.network).__name__} has no blocks that features pass through")
    if blocks == "all":
        return known
    if blocks == "features":
        end = {id(part) for module in model.generating_end() for part in module.modules()}
        return [number for number in known if id(every[number]) not in end][-1:] or known[:1]
    counted = {number: number + len(every) * (number < 0) for number in blocks}
    wrong = [str(number) for number, place in counted.items() if place not in known] or ["no block"] * (not blocks)
    if wrong:
        remedy = f"features pass through blocks {', '.join(map(str, known))} of this model"
        raise PluginError(f"approach {approach}: option 'blocks': {wrong[0]} will not do; {remedy}")
    return sorted(set(counted.values()))


class Tap:
    """Keeps what chosen blocks hand on in a pass through the model: as long as the outputs of that pass are there.

    So a term finds the features that belong to the outputs it is given, whatever else went through the model since; and
    what no term asks for goes with its outputs. Copies that are made of the model later are not listened to.

    Args:
        model: whose blocks are listened to.
        numbers: of the blocks, from :func:`chosen`.
        learning: passes with gradients are kept; otherwise those without. So training keeps no features of
            validation or sampling.
    """

    def __init__(self, model: Model, numbers: list[int], *, learning: bool = True) -> None:
        every = model.blocks()
        blocks = [every[number] for number in numbers]
        under_way: dict[nn.Module, Tensor] = {}
        self._kept: MutableMapping[Tensor, list[Tensor]] = WeakTensorKeyDictionary()

        # plain functions: with a method for a hook, a copy of the model would come with a copy of the tap
        def keep(block: nn.Module, features: Tensor) -> Tensor:
            if block in blocks and torch.is_grad_enabled() is learning:
                under_way[block] = features
            return features

        def end(module: nn.Module, given: Any, outputs: Tensor) -> None:
            if module is model and under_way:
                self._kept[outputs] = [under_way[block] for block in blocks]
            under_way.clear()

        model.register_forward_pre_hook(lambda module, given: under_way.clear())  # a pass before may have failed
        model.register_forward_hook(end)
        for block in blocks:
            on_leaving(block, keep)

    def take(self, outputs: Tensor) -> list[Tensor]:
        """Of each block, in order, what it handed on in the pass with these outputs; it is not kept any longer."""
        return self._kept.pop(outputs)


def vectors(batch: Batch, features: Tensor) -> Tensor:
    """Features as vectors of shape (positions, channels), of all rows, without those of padding."""
    laid_out, real = _positions(batch, features)
    return laid_out[real]


def pooled(batch: Batch, features: Tensor) -> Tensor:
    """The mean vector of each row, padding left out: shape (rows, channels)."""
    laid_out, real = _positions(batch, features)
    weights = real / real.sum(1, keepdim=True).clamp_min(1)
    return (laid_out * weights[..., None]).sum(1)


def _positions(batch: Batch, features: Tensor) -> tuple[Tensor, Tensor]:
    """Features of shape (rows, positions, channels) in full precision, and which positions are real: a mask."""
    features = features.float()
    if features.ndim > 3:  # images have their channels before their sides
        features = features.flatten(2).transpose(1, 2)
    laid_out = features.reshape(len(features), -1, features.shape[-1])
    places = torch.arange(laid_out.shape[1], device=laid_out.device).expand(len(laid_out), -1)
    if "length" not in batch:
        return laid_out, places >= 0
    written, width = batch["input_ids"].shape[1] - 1, laid_out.shape[1]
    if "source" in batch and width != written:  # of the encoder; families keep the two of different widths
        places = places - (width - batch["source"].shape[1])
        return laid_out, (places >= 0) & (places < batch["source_length"][:, None])
    # the last token is read by nobody; what stands before the row, such as a prompt, is not the row's
    places = places - (width - written)
    return laid_out, (places >= 0) & (places < batch["length"][:, None] - 1)
