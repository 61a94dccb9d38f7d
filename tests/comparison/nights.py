"""Nights of one suite, drawn: each cell has a value of its own, and every night adds noise to it."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.comparison.sides import Side
from bench.results import files, tidy

HERE = {"machine": {"id": "0123456789ab"}, "packages": {"torch": "2.9.0"}}
SCORES = {"perplexity": ("", "lower"), "accuracy": ("", "higher"), "training_seconds": ("s", "lower")}


class Suite:
    """Approaches with seeds, whose runs vary by their own share of the value.

    Args:
        generator: of values and noise.
        approaches, seeds: how many.
        spread: standard deviation of the logarithm of how much approaches vary, one from another.
        noise: typical share of a value by which a run of it varies.
        common: share by which a whole night is slower or faster than another: times of one night share it.
        tails: degrees of freedom of the noise; None for a normal law.
    """

    def __init__(
        self,
        generator: np.random.Generator,
        approaches: int = 8,
        seeds: int = 3,
        spread: float = 0.0,
        noise: float = 0.01,
        common: float = 0.0,
        tails: float | None = None,
    ) -> None:
        self.random, self.seeds, self.common, self.tails = generator, seeds, common, tails
        self.names = [f"approach_{place}" for place in range(approaches)]
        self.levels = {
            name: generator.uniform(2.0, 9.0, (len(SCORES), 1)) * generator.normal(1.0, 0.05, (len(SCORES), seeds))
            for name in self.names
        }
        self.noise = {name: noise * np.exp(generator.normal(0.0, spread)) for name in self.names}

    def night(self, changed: dict[tuple[str, str], float] | None = None) -> pd.DataFrame:
        """A tidy table; ``changed`` is (approach, metric) to what its values are multiplied by, "" for any approach."""
        factors = changed or {}
        pace = math.exp(self.common * self.random.normal())
        rows = []
        for name in self.names:
            for seed in range(self.seeds):
                for place, (metric, (unit, better)) in enumerate(SCORES.items()):
                    factor = factors.get((name, metric), 1.0) * factors.get(("", metric), 1.0)
                    value = self.levels[name][place, seed] * (1.0 + self.noise[name] * self._drawn()) * factor
                    rows.append(row(name, seed, metric, value * (pace if unit else 1.0), unit, better))
        return table(rows)

    def _drawn(self) -> float:
        """Of the noise, with variance 1."""
        if self.tails is None:
            return float(self.random.normal())
        return float(self.random.standard_t(self.tails)) / math.sqrt(self.tails / (self.tails - 2))


def row(
    approach: str, seed: int, metric: str, value: float, unit: str = "", better: str = "lower", **other: Any
) -> dict[str, Any]:
    """Of a tidy table."""
    known = {
        "suite": "nightly", "run": "one", "cell": f"{approach}-{seed}", "model": "gpt2", "family": "causal_lm",
        "modality": "text", "source": "a", "target": "b", "approach": approach, "options": "{}", "data_size": 100,
        "data_quality": "clean", "seed": seed, "status": "ok", "metric": metric, "value": value, "unit": unit,
        "better": better, "n": 10, "error": float("nan"), "reason": "", "damaged": 0,
    }  # fmt: skip
    return known | other


def table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """A tidy one."""
    return pd.DataFrame(rows, columns=list(tidy.COLUMNS)).astype(tidy.COLUMNS)


def side(frame: pd.DataFrame, name: str = "one", environment: dict[str, Any] | None = None, **info: Any) -> Side:
    """One night, of a machine that is known."""
    return Side(Path(name), f"nightly / {name}", frame, {"environment": environment or HERE} | info)


def write(folder: Path, frame: pd.DataFrame, place: int, **environment: Any) -> Path:
    """A finished run with that table, as one of a suite's nights."""
    run = folder / f"night-{place:03d}"
    run.mkdir(parents=True)
    frame.assign(run=run.name).to_parquet(run / "results.parquet", index=False)
    began = pd.Timestamp("2026-01-01", tz="UTC") + pd.Timedelta(days=place)
    info = {
        "suite": folder.name, "run": run.name, "description": "", "source": "", "cells": sorted(set(frame["cell"])),
        "primary": {"causal_lm": "perplexity"}, "started": began.isoformat(), "seconds": 60.0, "workers": 1,
        "finished": (began + pd.Timedelta(minutes=1)).isoformat(), "cell_seconds": {}, "ends": {"ok": len(frame)},
        "packed": {}, "environment": HERE | environment,
    }  # fmt: skip
    files.write_json(run / "run.json", info)
    return run
