"""Contract: what every cell may spend, and how it is scored."""

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Strict(BaseModel):
    """A part of a suite: unknown keys and silent conversions are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Budget(Strict):
    """What every cell may spend, the same for every approach, whatever it does with it.

    One of ``steps``, ``examples`` and ``seconds`` says in what budgets are equal.

    Attributes:
        steps: gradient steps of one trial, those of teachers, inner loops, rounds and pre-stages included.
        examples: rows that one trial takes gradients of: approaches may then differ in their batch size, and those that
            also learn from other rows take fewer steps.
        seconds: wall time of one trial on the machine that runs it; no step begins after that time. How many steps fit
            is found by a small trial before, as it is for examples.
        batch_size: rows per step; the effective batch, whatever fits into memory at once.
        micro_batch_size: rows at a time, where the batch does not fit; halved by itself when memory runs out.
        learning_rate: peak rate, where the tuning grid does not say.
        warmup: share of the steps over which the rate rises from zero.
        decay: how it falls afterwards.
        weight_decay: of AdamW.
        clip: largest gradient norm; null for no clipping.
        validations: how many times in a trial the validation loss is taken, beside once at the start.
        validation_rows: how many rows it is taken on, at most.
        precision: ``auto`` is bf16 (or fp16) autocast on a GPU and fp32 on a CPU.
        threads: of one cell on a CPU; fixed, because the last digits of a sum depend on it.
        time_limit: seconds a cell may take.
    """

    steps: int | None = Field(default=None, ge=0)
    examples: int | None = Field(default=None, ge=1)
    seconds: float | None = Field(default=None, gt=0)
    batch_size: int = Field(default=16, ge=1)
    micro_batch_size: int | None = Field(default=None, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    warmup: float = Field(default=0.1, ge=0, le=1)
    decay: Literal["cosine", "linear", "constant"] = "cosine"
    weight_decay: float = Field(default=0.0, ge=0)
    clip: float | None = Field(default=1.0, gt=0)
    validations: int = Field(default=5, ge=1)
    validation_rows: int = Field(default=256, ge=1)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    threads: int = Field(default=1, ge=1)
    time_limit: float = Field(default=3600.0, gt=0)

    @property
    def planned_steps(self) -> int | None:
        """Gradient steps of one trial, at most; None where the clock decides."""
        return self.steps if self.examples is None else -(-self.examples // self.batch_size)

    def rate(self, progress: float) -> float:
        """Share of the peak learning rate: linear warm-up from above zero, then the decay towards zero.

        Args:
            progress: share of the steps that are taken, in (0, 1).
        """
        if progress < self.warmup:
            return progress / self.warmup
        left = (1 - progress) / (1 - self.warmup) if self.warmup < 1 else 1.0
        return {"cosine": (1 - math.cos(math.pi * left)) / 2, "linear": left, "constant": 1.0}[self.decay]


class EvaluationSpec(Strict):
    """How a trained model is scored.

    Attributes:
        samples: how many to draw.
        batch_size: rows at a time, in scoring and in sampling.
        measure: latency and memory are measured ``once`` for each approach on a model and target (seeds and data sizes
            change weights, not what they cost), or for ``each`` cell.
    """

    samples: int = Field(default=128, ge=2)
    batch_size: int = Field(default=32, ge=1)
    measure: Literal["once", "each"] = "once"
