"""What one would write without this project: the same training as ``bench.training``, spelt out for one model.

Run as ``python -m tests.benchmarks.by_hand ours|by_hand text|images`` it trains in a fresh process and prints the
peak of its resident set above what it was before the model was built, in bytes.
"""

import math
import sys
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler, UNet2DModel
from torch import Tensor

from bench.cell import Budget
from bench.dataset import Dataset
from bench.families.causal_lm import CausalLM
from bench.families.diffusion import Diffusion
from bench.memory import Peak, resident
from bench.model import Batch, Model
from bench.transfer import Transfer
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
    """AdamW, warm-up and cosine, clipping, validation at intervals, the best weights kept."""
    model, budget, steps = transfer.model, transfer.budget, transfer.steps
    network, batch_size = model.network, budget.batch_size
    train, held_out = model.encode(transfer.data.train), model.encode(transfer.data.validation)
    optimizer = torch.optim.AdamW(network.parameters(), lr=budget.learning_rate, weight_decay=budget.weight_decay)
    loss_of: Callable[[Any, Batch, torch.Generator], Tensor] = image_loss if "images" in train else text_loss
    generator = torch.Generator().manual_seed(0)
    total = len(next(iter(train.values())))
    pending = torch.empty(0, dtype=torch.int64)
    best, best_loss = {}, math.inf

    @torch.no_grad()
    def validate() -> float:
        noise = torch.Generator().manual_seed(20_000)
        network.eval()
        loss = loss_of(model, held_out, noise)
        network.train()
        return float(loss)

    network.train()
    for step in range(steps + 1):
        if step % (steps // budget.validations) == 0:
            loss = validate()
            if loss < best_loss:
                best_loss, best = loss, {name: value.clone() for name, value in network.state_dict().items()}
        if step == steps:
            break
        if len(pending) < batch_size:
            pending = torch.cat([pending, torch.randperm(total, generator=generator)])
        chosen, pending = pending[:batch_size], pending[batch_size:]
        for group in optimizer.param_groups:
            group["lr"] = rate((step + 0.5) / steps, budget)
        optimizer.zero_grad()
        training_loss = loss_of(model, {name: value[chosen] for name, value in train.items()}, generator)
        training_loss.backward()
        if not math.isfinite(training_loss.item()):
            raise ArithmeticError(f"diverged at step {step}")
        if budget.clip:
            torch.nn.utils.clip_grad_norm_(network.parameters(), budget.clip)
        optimizer.step()
    network.load_state_dict(best)
    network.eval()


def rate(progress: float, budget: Budget) -> float:
    if progress < budget.warmup:
        return budget.learning_rate * progress / budget.warmup
    left = (1 - progress) / (1 - budget.warmup)
    return budget.learning_rate * (1 - math.cos(math.pi * left)) / 2


def text_loss(model: CausalLM, rows: Batch, generator: torch.Generator) -> Tensor:
    length = rows["length"]
    ids = rows["input_ids"][:, : int(length.max())].long()
    logits = model.network(input_ids=ids[:, :-1], use_cache=False).logits
    padding = torch.arange(1, ids.shape[1]) >= length[:, None]
    return F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].masked_fill(padding, -100).flatten())


def image_loss(model: Diffusion, rows: Batch, generator: torch.Generator) -> Tensor:
    images = rows["images"].float() / 127.5 - 1
    noise = torch.randn(images.shape, generator=generator)
    timesteps = torch.randint(1000, (len(images),), generator=generator)
    predicted = model.network(model.noise.add_noise(images, noise, timesteps), timesteps).sample
    return F.mse_loss(predicted, noise)


LOOPS = {"ours": ours, "by_hand": by_hand}

if __name__ == "__main__":
    torch.set_num_threads(1)
    before = resident()
    with Peak(torch.device("cpu"), before) as peak:
        LOOPS[sys.argv[1]](transfer(sys.argv[2], steps=8))
    print(peak.measures["peak_rss"])
