"""Examples in the context, no training."""

from typing import Literal

import torch

from bench.errors import PluginError
from bench.options import Count, Fraction
from bench.transfer import Transfer

NEEDS = ("context",)
TRAINS = False


def few_shot_prompting(
    transfer: Transfer,
    *,
    shots: Count = 10,
    share: Fraction = 0.5,
    order: Literal["random", "shortest first", "longest first"] = "random",
) -> None:
    """Examples of the target stand in the context before each row that is scored or sampled; no weight changes.

    The examples are drawn at random and are the same for every row: choosing them by the row would tell the model of
    what it is to predict. Those that do not fit whole are passed over; where none does, the shortest is cut. They take
    positions of the network: where the model has no more than a row fills, rows get shorter.

    Paper: Brown et al. 2020, Language Models are Few-Shot Learners; Lu et al. 2022, Fantastically Ordered Prompts and
    Where to Find Them (the order matters)

    Args:
        shots: how many examples, as far as they fit.
        share: of the model's positions, that examples may take.
        order: of the examples in the context.
    """
    transfer.steps = 0
    model, items = transfer.model, transfer.data.train
    room = min(int(share * model.limit), model.limit - 1)
    if room < 2:
        remedy = f"the model has {model.limit} positions, and an example takes two at least"
        raise PluginError(f"approach few_shot_prompting: option 'share': {share} will not do; {remedy}")
    lengths, chosen, left = model.lengths(items), list[int](), room
    for index in torch.randperm(len(items), generator=torch.Generator().manual_seed(transfer.seed)).tolist():
        if lengths[index] <= left and len(chosen) < shots:
            chosen.append(index)
            left -= lengths[index]
    chosen = chosen or [lengths.index(min(lengths))]
    if order != "random":
        chosen.sort(key=lengths.__getitem__, reverse=order == "longest first")
    model.show([items[index] for index in chosen], room)
