"""Runs to be sent."""

from pathlib import Path

import pytest

from bench.trackers.targets import VARIABLE
from tests.report.runs import MODELS, make_run
from tests.trackers import servers


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of whoever runs the tests nothing is taken."""
    servers.without_proxies(monkeypatch)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "WANDB_MODE", "WANDB_PROJECT", VARIABLE):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """One model, eleven approaches, two sizes, of which one ran out of memory."""
    return make_run(tmp_path / "results", seeds=(0,), sizes=(50, 800), models={"tiny_gpt2": MODELS["tiny_gpt2"]})
