"""A finished run that says more than others should read, as runs do: paths, names of machine and user, a token."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.results import files, items, packed, runs, tidy
from tests.report.runs import make_run

HOME, HOST, TOKEN = "/home/annegret", "gpu-box-17", "hf_AbCdEfGhIjKlMnOpQrStUv"
PRIVATE = (HOME, "annegret", HOST, TOKEN, "s3cr3t-of-a-variable")


def on_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if here were that machine."""
    monkeypatch.setenv("HOME", HOME)
    monkeypatch.setenv("TRACKER_API_KEY", "s3cr3t-of-a-variable")
    monkeypatch.setattr("platform.node", lambda: HOST)


def made(folder: Path, **how: Any) -> Path:
    """Its folder; all of its cells in files of their own."""
    run = make_run(folder, **({"sizes": (50, 200), "seeds": (0, 1)} | how))
    random = np.random.default_rng(0)
    for record in runs.records(run):
        beside = run / "cells" / record["cell"]
        beside.mkdir(exist_ok=True)
        (beside / "log.txt").write_text(f"loading {HOME}/models/gpt2\n")
        happened = record["happened"]
        if happened["status"] == "failed":
            (beside / "traceback.txt").write_text(f'File "{HOME}/lib/x.py", line 3\n')
            happened["reason"] += f" at {HOME}/lib/x.py on {HOST}, with s3cr3t-of-a-variable"
        record["asked"]["definition"]["target"] = {"options": {"path": f"{HOME}/my data/texts.csv"}}
        record["environment"]["notes"] = {"server": f"http://{HOST}:8000/v1", "as": "annegret"}
        files.write_json(runs.record_path(run, record["cell"]), record)
        each = {
            score["metric"]: random.normal(score["value"], 0.1, 40)
            for score in happened["scores"]
            if score["metric"] in ("bits_per_byte", "kid[digit_classifier]")
        }
        items.write(runs.items_path(run, record["cell"]), each)
    (run / "logs").mkdir()
    (run / "logs" / "models.txt").write_text(f"cached in {HOME}/.cache\n")
    info, _ = runs.read_info(run)
    files.write_json(run / "run.json", info | {"source": info["source"] + f"\n# {TOKEN}, see {HOME}/suites/x.yaml\n"})
    return run


def settle(run: Path) -> Path:
    """Pack it, as a run does that is complete."""
    packed.pack(run)
    tidy.write(run, runs.records(run))
    info, _ = runs.read_info(run)
    ends: dict[str, int] = {}
    for record in runs.records(run):
        ends[record["happened"]["status"]] = ends.get(record["happened"]["status"], 0) + 1
    files.write_json(run / "run.json", files.sealed(info | {"packed": packed.checksums(run), "ends": ends}))
    return run
