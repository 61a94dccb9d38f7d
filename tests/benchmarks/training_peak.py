"""What training takes at its peak with an approach: run as ``python -m tests.benchmarks.training_peak lora text``.

Trains a model of some tens of MB for a few steps in a fresh process, on little data, and prints two numbers of bytes:
the peak of its resident set above what it was before the model was built, and the size of the pretrained weights.
"""

import sys

import torch
from diffusers import DDPMScheduler, UNet2DModel

from bench.families.causal_lm import CausalLM
from bench.families.diffusion import Diffusion
from bench.model import Model
from bench.training.memory import Peak, release, resident
from tests.benchmarks.by_hand import UNET
from tests.benchmarks.by_hand import model_of as small_model_of
from tests.models import fitted, pictures, prepare, texts, transfer_of

TEXT = {"n_layer": 4, "n_embd": 512, "n_head": 8, "n_positions": 64, "vocab_size": 1024}
IMAGES = UNET | {"block_out_channels": (64, 128, 128)}
DATA = {"text": texts(), "images": pictures(12, (16, 16, 1))}


def model_of(kind: str) -> Model:
    if kind == "images":
        return Diffusion(UNet2DModel(**IMAGES), DDPMScheduler())
    return CausalLM.from_architecture(TEXT, DATA[kind], context=32)


def train(model: Model, approach: str, kind: str) -> None:
    fitted(prepare(transfer_of(model, DATA[kind], batch_size=4, validations=1), approach))


if __name__ == "__main__":
    approach, kind = sys.argv[1:]
    torch.set_num_threads(1)
    train(small_model_of(kind), approach, kind)  # so that what is imported and compiled on the way does not count
    release()
    before = resident()
    with Peak(torch.device("cpu"), before) as peak:
        model = model_of(kind)
        size = sum(weight.nbytes for weight in model.parameters())
        train(model, approach, kind)
    print(peak.measures["peak_rss"], size)
