"""Small new layers between the blocks."""

import torch
from torch import Tensor, nn

from bench.approaches._blocks import called, on_leaving, train_only
from bench.errors import NotApplicable
from bench.options import Count
from bench.transfer import Transfer

DECIDES = ("weights",)


def adapter(transfer: Transfer, *, bottleneck: Count = 64) -> None:
    """Behind each block stands a narrow pair of layers with a GELU between and a connection around; they alone train.

    What a block puts out goes down to ``bottleneck`` features and up again, and is added to itself; the way up starts
    at zero, so that the model starts unchanged. The layers are linear for sequences, 1×1 convolutions for feature maps.
    They are our own: PEFT has no bottleneck adapters, and libraries that have them know transformers alone.

    One adapter per block as in Bapna & Firat, for networks whose blocks are not all transformer layers; Houlsby et al.
    put two into each layer, and train its norms too.

    Paper: Houlsby et al. 2019, Parameter-Efficient Transfer Learning for NLP; Bapna & Firat 2019, Simple, Scalable
    Adaptation for Neural Machine Translation

    Args:
        bottleneck: width between the two layers.
    """
    model = transfer.model
    blocks = called(model)
    if not blocks:
        raise NotApplicable(f"{type(model.network).__name__} has no blocks that features pass through")
    train_only(transfer, [])
    for block, features in zip(blocks, _features(transfer, blocks), strict=True):
        block.add_module("adapter", _Bottleneck(features, bottleneck))
        on_leaving(block, _adapted)


def _adapted(block: nn.Module, features: Tensor) -> Tensor:
    adapted: Tensor = block.get_submodule("adapter")(features)
    return adapted


def _pointwise(channels: int, width: int) -> nn.Module:
    return nn.Conv2d(channels, width, kernel_size=1)


class _Bottleneck(nn.Module):
    """Down, a GELU, up, and around; does nothing at the start."""

    def __init__(self, features: Tensor, width: int) -> None:
        super().__init__()
        layer, channels = (_pointwise, features.shape[1]) if features.ndim == 4 else (nn.Linear, features.shape[-1])
        self.down, self.up = layer(channels, width), layer(width, channels)
        for weight in self.up.parameters():
            nn.init.zeros_(weight)
        self.to(features.device)

    def forward(self, features: Tensor) -> Tensor:
        added: Tensor = self.up(nn.functional.gelu(self.down(features)))
        return features + added


@torch.no_grad()
def _features(transfer: Transfer, blocks: list[nn.Module]) -> list[Tensor]:
    """What each block hands on of one row."""
    model, seen = transfer.model, dict[nn.Module, Tensor]()
    hooks = [
        block.register_forward_hook(
            lambda module, given, output: seen.update({module: output if isinstance(output, Tensor) else output[0]})
        )
        for block in blocks
    ]
    training, row = model.training, model.collate(transfer.encode(transfer.data.train), torch.arange(1))
    try:
        model.eval()(model.draw(row, torch.Generator().manual_seed(transfer.seed)))
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    return [seen[block] for block in blocks]
