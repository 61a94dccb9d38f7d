"""Do what needs a GPU, and write down what came out: ``python -m tests.gpu``."""

import argparse
import datetime
import importlib
import os
import re
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.running import worker
from tests.gpu import apart, report
from tests.gpu.box import Box

PARTS = ("steps", "latency", "memory", "stopping", "embedded", "contract", "quickstart")
"""In this order: what takes as long as it takes, then what goes on as long as there is time."""

_SPARE = 8.0  # seconds for what lies between parts, and to write everything


_LEAST = 2.0  # seconds, without which a part is not begun


def arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.gpu", description=__doc__)
    parser.add_argument("--seconds", type=float, default=540, help="after which all is over (default: 540)")
    parser.add_argument("--into", type=Path, help="folder for what is found (default: results/gpu/<date>_<gpu>)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--small", action="store_true", help="as small as on a CPU: to see whether it runs")
    parser.add_argument("--commit", help="which commit this is, where no git tells")
    parser.add_argument("--wheels", type=Path, metavar="DIR", help="only gather what a machine without network lacks")
    parser.add_argument("--python", default="3.12", help="of that machine (default: 3.12)")
    parser.add_argument(
        "--there",
        nargs="*",
        default=[],
        metavar="NAME",
        help="all packages that it has (default: torch, transformers, accelerate, their needs)",
    )
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> int:
    """1 where something is broken, 130 where it was stopped."""
    chosen = arguments(given)
    if chosen.wheels:
        from tests.gpu import wheels

        return wheels.gather(chosen.wheels, chosen.python, chosen.there)
    began = time.monotonic()
    os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker")  # what killed processes leave is cleaned up
    print("importing …", flush=True)
    with worker.blank_main(), tempfile.TemporaryDirectory(prefix="transferbench-gpu-") as scratch:
        apart.start_server()
        found = apart.call("machine.described", seconds=chosen.seconds)
        found["when"] = datetime.datetime.now().astimezone().isoformat(timespec="minutes")
        found["commit"] = found["commit"] or chosen.commit
        found["small"] = chosen.small or found["device"] != "cuda"
        into = chosen.into or _folder(found)
        into.mkdir(parents=True, exist_ok=True)
        print(f"{found['accelerator'] or found['machine']['processor']}; writing to {into}", flush=True)
        parts: dict[str, dict[str, Any]] = {}
        stopped = False
        only = tuple(dict.fromkeys(chosen.only))
        for number, name in enumerate(only):
            left = max(0.0, chosen.seconds - _SPARE - (time.monotonic() - began))
            box = _box(name, only[number:], left, found["device"], chosen.small, Path(scratch))
            parts[name], stopped = _measured(name, box)
            report.write(into, found, parts, chosen.seconds)
            print(
                f"{name}: {parts[name]['ended']} after {parts[name]['seconds']:.0f} s {parts[name]['why']}", flush=True
            )
            if stopped:
                break
    print(f"{time.monotonic() - began:.0f} s; read {into / 'README.md'}")
    return 130 if stopped else int(any(part["ended"] == "failed" for part in parts.values()))


def _folder(machine: dict[str, Any]) -> Path:
    """Under ``results/gpu``, to be committed; what a CPU says is not, nor what was made as small as for one."""
    if machine["small"]:
        return Path(tempfile.mkdtemp(prefix="transferbench-gpu-"))
    name = re.sub(r"[^a-z0-9]+", "-", machine["gpu"]["name"].lower()).strip("-")
    folder = Path("results", "gpu", f"{machine['when'][:10]}_{name}")
    others = (folder.with_name(f"{folder.name}-{count}") for count in range(2, 1000))
    return next(path for path in (folder, *others) if not path.exists())


def _box(name: str, left_parts: tuple[str, ...], left: float, device: str, small: bool, scratch: Path) -> Box:
    """A part's share of the time that is left, among the parts that are left: what one saves, the next ones have."""
    shares = [importlib.import_module(f"tests.gpu.{part}").SHARE for part in left_parts]
    own = scratch / name
    own.mkdir()
    workers = max(1, min(12, (os.cpu_count() or 1) * 3 // 4))
    small = small or device == "cpu"
    seconds = left if small else left * shares[0] / sum(shares)
    return Box(seconds, small, device, workers, own, own / "found.json")


def _measured(name: str, box: Box) -> tuple[dict[str, Any], bool]:
    """What a part found, and how it ended; whether somebody stopped everything."""
    module = importlib.import_module(f"tests.gpu.{name}")
    ended, why, stopped = "ok", "", False
    try:
        if box.seconds < _LEAST:
            ended, why = "not begun", "no time was left"
        else:
            with box.closing():
                module.measure(box)
        if box.is_over:
            ended, why = "cut", "its time was up"
    except KeyboardInterrupt:
        ended, why, stopped = "cut", "its time was up" if box.is_over else "stopped by hand", not box.is_over
    except Exception as error:
        said = str(error) if isinstance(error, BenchError | apart.Ended) else traceback.format_exc(limit=-2)
        ended, why = ("cut", "its time was up") if box.is_over else ("failed", said)
    if broken := box.found.pop("broken", []):
        ended, why = "failed", "; ".join(broken[:3]) + (f"; and {len(broken) - 3} more" if len(broken) > 3 else "")
    about = " ".join((module.__doc__ or "").split())
    took = {"ended": ended, "why": why, "seconds": time.monotonic() - box.began, "box_seconds": box.seconds}
    return took | {"about": about} | box.found, stopped


if __name__ == "__main__":
    sys.exit(main())
