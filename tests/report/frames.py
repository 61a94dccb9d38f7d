"""Small tidy tables, written down by their values."""

import json
from typing import Any

import pandas as pd

from bench.results import tidy

Values = dict[tuple[str, int], dict[int, Any]]
"""(approach, data size) to seed to its value, or to (status, reason)."""


def frame_of(values: Values, metric: str = "bits_per_byte", better: str = "lower", **columns: Any) -> pd.DataFrame:
    """One metric of one model on one target; an approach's parts are read from its name."""
    rows = []
    for (approach, size), seeds in values.items():
        for seed, value in seeds.items():
            status, reason = value if isinstance(value, tuple) else ("ok", "")
            scored = status == "ok"
            row = {
                "suite": "s", "run": "r", "cell": f"{approach}-{size}-{seed}", "model": "m", "family": "f",
                "modality": "text", "source": "a", "target": "b", "approach": approach,
                "options": json.dumps({part: {} for part in approach.split(" + ")}), "data_size": size, "seed": seed,
                "data_quality": "clean",
                "status": status, "metric": metric if scored else "", "value": value if scored else float("nan"),
                "unit": "bits/byte", "better": better, "n": 10, "error": float("nan"), "reason": reason,
                "damaged": 0,
            }  # fmt: skip
            rows.append(row | columns)
    return pd.DataFrame(rows, columns=list(tidy.COLUMNS)).astype(tidy.COLUMNS)


def seeds(*values: Any) -> dict[int, Any]:
    """Seeds 0, 1 … with these values."""
    return dict(enumerate(values))
