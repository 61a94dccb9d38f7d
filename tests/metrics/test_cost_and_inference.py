"""What training took is passed on whole; what sampling takes is measured."""

import time
from typing import Any

import numpy as np
import pytest
import torch

from bench.evaluation import Training
from bench.metrics import inference as inference_module
from bench.metrics.cost import cost
from bench.metrics.inference import inference
from bench.model import Batch
from tests.metrics.doubles import NoisyPictures, evaluation, pictures


class Slow(NoisyPictures):
    """Sampling takes longer the more rows there are, and holds 1 MiB a row."""

    calls: list[int]

    def sample(self, batch: Batch, generator: torch.Generator) -> Batch:
        rows = len(batch["images"])
        self.calls.append(rows)
        held = torch.ones(rows, 1 << 18)
        time.sleep(0.002 * rows)
        return super().sample(batch, generator) | {"held": held.sum(1)}


def run(batch_size: int = 8, **options: Any) -> tuple[dict[str, Any], list[int]]:
    model = Slow()
    model.calls = []
    scores = inference(evaluation(model, pictures(3), batch_size=batch_size), **options)
    return {score.metric: score for score in scores}, model.calls


def test_cost_passes_on_all_that_training_took() -> None:
    checked = evaluation(NoisyPictures(), pictures(3))
    checked.training = Training(
        steps=7,
        stages={"teacher": 2, "": 5},
        examples=28,
        looked=40,
        seconds=1.5,
        tuning_seconds=6.0,
        trials=4,
        peak_memory={"training_peak_rss": 1 << 20, "tuning_peak_rss": 1 << 21},
        trainable=10,
        stored=12,
        total=100,
        checkpoint_bytes=555,
        step_seconds=0.25,
        step_flops=8,
    )
    scores = {score.metric: score for score in cost(checked)}
    assert {name: score.value for name, score in scores.items()} == {
        "training_seconds": 1.5,
        "tuning_seconds": 6.0,
        "training_step_seconds": 0.25,
        "training_step_flops": 8,
        "trials": 4,
        "training_steps": 7,
        "target_steps": 5,
        "training_examples": 28,
        "pool_examples": 40,
        "trainable_parameters": 10,
        "stored_parameters": 12,
        "total_parameters": 100,
        "checkpoint_bytes": 555,
        "training_peak_rss": 1 << 20,
        "tuning_peak_rss": 1 << 21,
    }
    assert scores["trials"].better == "none"
    assert scores["training_peak_rss"].unit == scores["tuning_peak_rss"].unit == "bytes"
    checked.training.mfu = 0.4
    assert next(score for score in cost(checked) if score.metric == "mfu").better == "higher"


def test_latency_at_batch_one_and_at_the_suites_batch() -> None:
    scores, calls = run(repetitions=4, warmup=1)
    assert calls == [1] * 5 + [8] * 5
    for size in (1, 8):
        assert 0 < scores[f"latency_p50[batch={size}]"].value <= scores[f"latency_p95[batch={size}]"].value
    assert scores["latency_p50[batch=1]"].value < scores["latency_p50[batch=8]"].value
    assert {score.n for score in scores.values()} == {4}


def test_throughput_is_samples_over_time() -> None:
    scores, _ = run(repetitions=4, warmup=1)
    throughput = scores["throughput[batch=8]"]
    assert throughput.value == pytest.approx(8 / (scores["latency_p50[batch=8]"].value / 1000), rel=0.5)
    assert throughput.error is not None
    assert run(repetitions=1, warmup=0)[0]["throughput[batch=8]"].error is None


@pytest.mark.parametrize("share", [50, 95])
def test_the_error_of_a_percentile_is_how_far_percentiles_of_repetitions_lie_apart(share: int) -> None:
    drawn = np.random.default_rng(share).gamma(3.0, 1.0, (2000, 20))
    apart = np.percentile(drawn, share, axis=1).std()
    said = np.mean([inference_module._error(values, share / 100) for values in drawn])
    assert said == pytest.approx(apart, rel=0.2)


def test_percentiles_of_few_repetitions_have_no_error() -> None:
    many, _ = run(repetitions=20, warmup=0)
    assert all(many[f"latency_p{share}[batch=8]"].error for share in (50, 95))
    few, _ = run(repetitions=5, warmup=0)
    assert few["latency_p50[batch=8]"].error
    assert few["latency_p95[batch=8]"].error is None
    assert run(repetitions=1, warmup=0)[0]["latency_p50[batch=8]"].error is None


def test_batch_one_alone_is_measured_once() -> None:
    scores, calls = run(batch_size=1, repetitions=2, warmup=1)
    assert calls == [1] * 3
    assert "throughput[batch=1]" in scores


def test_peak_memory_of_sampling_is_stated() -> None:
    scores, _ = run(batch_size=16, repetitions=2, warmup=1)
    assert scores["inference_peak_rss"].unit == "bytes"
    assert scores["inference_peak_rss"].value > 16 << 20
