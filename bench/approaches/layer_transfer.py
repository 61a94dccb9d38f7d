"""Some blocks come from the pretrained model, the rest starts fresh."""

from typing import Literal

from bench.approaches._blocks import own, places
from bench.errors import PluginError
from bench.transfer import Transfer

DECIDES = ("weights", "head")
KEEPS_PRETRAINED = True


def layer_transfer(
    transfer: Transfer, *, blocks: list[int] | Literal["lower half", "upper half"] = "lower half", freeze: bool = False
) -> None:
    """Chosen blocks keep their pretrained weights, all others start anew: which layers carry what is transferred.

    Blocks are counted from the input, 0 being what comes before the layers, to the output, -1 being what comes after
    them. A weight that a chosen block shares with another is transferred to the chosen one alone.

    Paper: Yosinski et al. 2014, How transferable are features in deep neural networks?

    Args:
        blocks: that are transferred: a list of numbers, negative ones counted from the output, or one half of them,
            the lower being the half at the input, with the middle one where there is one.
        freeze: whether they stay as they are, or train on with the rest.
    """
    before, fresh = transfer.model.blocks(), transfer.model.fresh()
    chosen, mine = _chosen(blocks, len(before)), own(transfer)
    news = zip(places(transfer.model), places(fresh), before, fresh.blocks(), strict=True)
    for index, (here, there, block, other) in enumerate(news):
        kept = [place for place in here if getattr(*place) in mine]
        if index in chosen:
            for place in kept if freeze else ():
                getattr(*place).requires_grad_(False)
            continue
        for (module, name), place in zip(kept, there, strict=True):
            setattr(module, name, getattr(*place))
        for buffer, new in zip(block.buffers(), other.buffers(), strict=True):
            buffer.copy_(new)


def _chosen(blocks: list[int] | str, count: int) -> set[int]:
    middle = (count + 1) // 2
    if isinstance(blocks, str):
        return set(range(middle)) if blocks == "lower half" else set(range(middle, count))
    where, last = "approach layer_transfer: option 'blocks'", count - 1
    for index in blocks:
        if not -count <= index < count:
            raise PluginError(f"{where}: {index} will not do; the model has blocks 0 to {last}, or -{count} to -1")
    chosen = {index % count for index in blocks}
    if not 0 < len(chosen) < count:
        raise PluginError(f"{where}: {blocks} will not do; name at least one of blocks 0 to {last}, and not all")
    return chosen
