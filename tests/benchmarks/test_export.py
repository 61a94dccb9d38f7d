"""Exporting a model, which is loaded again and compared before it is done, against writing its weights."""

import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from bench.running.export import writing
from bench.suite.cell import ModelSpec
from bench.training import pretrained
from tests.benchmarks.timing import seconds
from tests.models import data_of, language_model, prepare, saved, transfer_of

SIZES = {"hidden_size": 768, "intermediate_size": 2048, "num_attention_heads": 12, "head_dim": 64}
"""Of a Llama of eight layers: 50 million weights."""


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> ModelSpec:
    folder = tmp_path_factory.mktemp("checkpoint")
    model = language_model("llama", 8, SIZES, context=64)
    return ModelSpec(family="causal_lm", checkpoint=str(saved(model, folder)), options={"context": 64})


@pytest.mark.parametrize(("approach", "most"), [("full_finetuning", 2.0), ("lora", 6.0)])
def test_export(approach: str, most: float, spec: ModelSpec, tmp_path: Path, benchmark):
    """Whole weights, which a low-rank update is merged into or not. Loading is what both have to do, and all that is
    written is on the disk when it is over."""
    torch.set_num_threads(1)  # as the process that exports has it, unless the suite says otherwise
    state = {name: value.clone() for name, value in pretrained.load(spec).network.state_dict().items()}
    into = tmp_path / "model"

    def put_together():
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir()
        transfer = transfer_of(pretrained.load(spec), data_of("causal_lm"), steps=8)
        prepare(transfer, approach).model.eval()
        return (transfer,), {}

    def write() -> None:
        path = tmp_path / "weights.safetensors"
        path.unlink(missing_ok=True)
        save_file(state, path)
        with path.open("rb") as file:
            os.fsync(file.fileno())

    benchmark.pedantic(
        lambda transfer: writing.written(transfer, spec, "this", into, merged=True), setup=put_together, rounds=5
    )
    taken, wrote, loading = benchmark.stats.stats.min, seconds(write), seconds(lambda: pretrained.load(spec))
    size = sum(value.numel() * value.element_size() for value in state.values()) >> 20
    ratio = (taken - loading) / wrote
    benchmark.extra_info["export over writing, beyond loading"] = round(ratio, 2)
    told = f"{taken:.2f} s, loading {loading:.2f} s, writing {size} MiB of weights {wrote:.2f} s"
    print(f"\nexport of {approach} {told}: beyond loading {ratio:.2f} times as long")
    assert ratio < most
