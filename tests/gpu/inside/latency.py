"""Latency and throughput of a language model, by the metric that suites have."""

import time
from typing import Any

import torch

from bench import dataset
from bench.budget import Budget
from bench.device import sampling
from bench.evaluation import Evaluation, Training
from bench.families.causal_lm import CausalLM
from bench.metrics.inference import inference
from bench.suite import loading


def model(small: bool, tokens: int) -> CausalLM:
    [spec] = [spec for spec in loading.load("gpu_embedded").file.models.values() if spec.family == "causal_lm"]
    assert spec.recipe
    architecture = spec.recipe.architecture | ({"n_layer": 2, "n_embd": 32, "vocab_size": 300} if small else {})
    source = dataset.load("python_reference" if small else spec.recipe.source.plugin)
    torch.manual_seed(0)
    return CausalLM.from_architecture(architecture, source, context=spec.options["context"], max_new_tokens=tokens)


def timed(
    settings: dict[str, Any], small: bool, tokens: int, batch: int, repetitions: int, warmup: int
) -> dict[str, Any]:
    made = model(small, tokens).to("cuda" if torch.cuda.is_available() else "cpu").eval()
    for name, value in settings.items():
        setattr(made.network.generation_config, name, value)
    data, budget = dataset.load("python_reference"), Budget(steps=1)
    rows = made.encode(data.test[:64])
    first, begun = made.collate(rows, torch.arange(1)), time.perf_counter()
    with sampling(budget):
        sample = made.sample_in_full(first, torch.Generator().manual_seed(0))["input_ids"].tolist()
    seconds = time.perf_counter() - begun
    evaluation = Evaluation(made, data, lambda split: rows, batch, batch, 0, Training(), budget=budget)
    scores = {score.metric: score.value for score in inference(evaluation, repetitions=repetitions, warmup=warmup)}
    memory = [value for name, value in scores.items() if "peak" in name]
    return {
        "parameters": sum(weight.numel() for weight in made.parameters()),
        "new tokens": tokens,
        "N": repetitions,
        "batch 1 [ms]": scores["latency_p50[batch=1]"],
        "batch 1 [ms/token]": scores["latency_p50[batch=1]"] / tokens,
        f"batch {batch} [ms]": scores[f"latency_p50[batch={batch}]"],
        f"batch {batch} [tokens/s]": scores[f"throughput[batch={batch}]"] * tokens,
        "peak memory [MiB]": memory[0] / 2**20,
        "first call [s]": seconds,
        "sample": sample,
    }
