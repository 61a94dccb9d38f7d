"""What one would write without this project: the same training as ``bench.training.loop``, spelt out for one model.

Run as ``python -m tests.benchmarks.by_hand ours|by_hand text|images`` it trains in a fresh process and prints the
peak of its resident set above what it was before the model was built, in bytes.
"""

import math
import sys
from typing import Any

import torch
from diffusers import DDPMScheduler, UNet2DModel

from bench.dataset import Dataset
from bench.families.causal_lm import CausalLM
from bench.families.diffusion import Diffusion
from bench.model import Model
from bench.training.memory import Peak, resident
from bench.transfer import Transfer
from tests.benchmarks.steps import LOSSES, taken
from tests.models import pictures, texts, transfer_of

TEXT = {"n_layer": 2, "n_embd": 128, "n_head": 4, "n_positions": 64, "vocab_size": 1024}
UNET: dict[str, Any] = {
    "sample_size": 16,
    "in_channels": 1,
    "out_channels": 1,
    "block_out_channels": (16, 32, 32),
    "layers_per_block": 2,
    "norm_num_groups": 8,
    "down_block_types": ("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
}
"""The architectures of the quickstart."""


def data_of(kind: str) -> Dataset:
    if kind == "images":
        return pictures(64, (16, 16, 1))
    known = texts(64)
    longer = [" ".join([text] * 12) for text in known.train]
    return Dataset("paragraphs", "text", longer, longer[:6], longer[:6])


def model_of(kind: str) -> Model:
    torch.manual_seed(0)
    if kind == "images":
        return Diffusion(UNet2DModel(**UNET), DDPMScheduler())
    return CausalLM.from_architecture(TEXT, data_of(kind), context=64)


def transfer(kind: str, steps: int) -> Transfer:
    return transfer_of(model_of(kind), data_of(kind), steps=steps, batch_size=16, validations=2, weight_decay=0.01)


def ours(transfer: Transfer) -> None:
    transfer.fit(transfer.steps)


def by_hand(transfer: Transfer) -> None:
    """The steps, validation at intervals, the best weights kept."""
    model, every = transfer.model, transfer.steps // transfer.budget.validations
    network, losses = model.network, LOSSES[type(model)]
    held_out = model.encode(transfer.data.validation)
    best, best_loss = {}, math.inf

    @torch.no_grad()
    def validate() -> float:
        network.eval()
        [loss] = losses(model, held_out, torch.Generator().manual_seed(20_000))
        network.train()
        return float(loss)

    for step in taken(transfer):
        if step % every == 0:
            loss = validate()
            if loss < best_loss:
                best_loss, best = loss, {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(best)
    network.eval()


LOOPS = {"ours": ours, "by_hand": by_hand}

if __name__ == "__main__":
    torch.set_num_threads(1)
    before = resident()
    with Peak(torch.device("cpu"), before) as peak:
        LOOPS[sys.argv[1]](transfer(sys.argv[2], steps=8))
    print(peak.measures["peak_rss"])
