"""What a process computes on, in which precision, and how it says that memory ran out."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

if TYPE_CHECKING:
    from bench.budget import Budget


def precision(budget: "Budget") -> str:
    """What training computes in: always fp32 on a CPU, and autocast to bf16 or fp16 on a GPU unless told otherwise."""
    if not torch.cuda.is_available():
        return "fp32"
    if budget.precision == "auto":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    return budget.precision


def accelerator(budget: "Budget") -> Accelerator:
    """Accelerate's view of this process: its device and its autocast."""
    mixed = "no" if precision(budget) == "fp32" else precision(budget)
    if AcceleratorState._shared_state and AcceleratorState().mixed_precision != mixed:
        AcceleratorState._reset_state()
    return Accelerator(cpu=not torch.cuda.is_available(), mixed_precision=mixed)


@contextmanager
def sampling(budget: "Budget") -> Iterator[None]:
    """How samples are drawn: in inference mode and, on a GPU, in the precision that training has."""
    with torch.inference_mode(), accelerator(budget).autocast():
        yield


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on a GPU or (in PyTorch's words) on a CPU."""
    said = str(error).lower()
    return (
        isinstance(error, torch.OutOfMemoryError | MemoryError)
        or "out of memory" in said
        or "can't allocate memory" in said
        or "status_alloc_failed" in said  # cuBLAS or cuDNN, which take memory of their own
    )
