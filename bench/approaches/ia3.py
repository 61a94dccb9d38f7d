"""Keys, values and feed-forward activations are scaled; through PEFT."""

from peft import IA3Config
from transformers.pytorch_utils import Conv1D

from bench.approaches._peft import activations, inject, refusals, unable
from bench.transfer import Transfer

DECIDES = ("weights",)


def ia3(transfer: Transfer) -> None:
    """Keys, values and inner activations of the feed-forward parts are multiplied by learned vectors that start at 1.

    All pretrained weights are frozen. Where one layer makes queries along with keys and values, they are scaled too,
    which adds nothing that scaled keys cannot say. In a convolutional network the residual layers stand for the
    feed-forward parts.

    Paper: Liu et al. 2022, Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning
    """
    network = transfer.model.network
    outputs, inputs = activations(transfer.model)
    found = {name: network.get_submodule(name) for name in [*outputs, *inputs]}
    turned = any(isinstance(module, Conv1D) for module in found.values())

    def configure(names: list[str]) -> IA3Config:
        widened = [name for name in names if name.removeprefix("network.") in inputs]
        return IA3Config(target_modules=names, feedforward_modules=widened, fan_in_fan_out=turned)

    refused = refusals(found, configure)
    able = [name for name in found if not refused[name]]
    if not able:
        raise unable(f"{type(network).__name__} has no keys, values or feed-forward parts to scale", refused)
    inject(transfer, able, configure)
