"""What sampling from the trained model takes: time and memory."""

import math
import time

import numpy as np
import torch
from scipy.stats import mstats

from bench.device import sampling
from bench.evaluation import Evaluation, Score
from bench.options import Count
from bench.training import memory

NEEDS = ("network", "samples")
EXCLUSIVE = True


def inference(evaluation: Evaluation, *, repetitions: Count = 20, warmup: Count = 2) -> list[Score]:
    """Latency (median and 95th percentile) and throughput of sampling, and its peak memory.

    A repetition draws one batch of samples at full length (a language model may not end early), from encoded
    conditions to finished rows, with the device synchronised at both ends. Latency is taken at batch 1 and at the
    suite's batch; throughput and memory at the suite's batch. Percentiles have Maritz and Jarrett's standard error over
    the repetitions: it does not know of what differs from one process to the next.

    Paper: Maritz and Jarrett, "A Note on Estimating the Variance of the Sample Median", JASA 73(361), 1978.

    Args:
        repetitions: timed calls per batch size.
        warmup: untimed calls before them.
    """
    scores = []
    for size in sorted({1, evaluation.batch_size}):
        with memory.Peak(evaluation.model.device, evaluation.baseline_memory) as peak:
            seconds = _time(evaluation, size, repetitions, warmup)
        for share in (50, 95):
            latency = 1000 * float(np.percentile(seconds, share))
            error = _error(1000 * seconds, share / 100)
            scores.append(Score(f"latency_p{share}[batch={size}]", latency, "ms", "lower", repetitions, error))
    rate = size / seconds.mean()
    error = rate * seconds.std(ddof=1) / seconds.mean() / math.sqrt(repetitions) if repetitions > 1 else None
    scores.append(Score(f"throughput[batch={size}]", rate, "samples/s", "higher", repetitions, error))
    for name, size_in_bytes in peak.measures.items():
        scores.append(Score(f"inference_{name}", float(size_in_bytes), "bytes", "lower", repetitions))
    return scores


def _error(values: np.ndarray, share: float) -> float | None:
    """Standard error of a quantile; None where there are too few values for one so far out."""
    error = float(mstats.mjci(values, [share])[0]) if len(values) > 1 else math.nan
    return error if math.isfinite(error) else None


def _time(evaluation: Evaluation, size: int, repetitions: int, warmup: int) -> np.ndarray:
    """Seconds of each timed call, shape (repetitions,)."""
    model, rows, generator = evaluation.model, evaluation.encode("test"), evaluation.generator()
    batch = model.collate(rows, torch.arange(size) % len(rows["item"]))
    seconds = []
    for _ in range(warmup + repetitions):
        _synchronise(model.device)
        started = time.perf_counter()
        with sampling(evaluation.budget):
            model.sample_in_full(batch, generator)
        _synchronise(model.device)
        seconds.append(time.perf_counter() - started)
    return np.array(seconds[warmup:])


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
