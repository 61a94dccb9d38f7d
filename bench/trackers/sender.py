"""The process that sends a run to one tracker: ``python -m bench.trackers.sender``, for :mod:`bench.trackers.sending`.

It is told what to do in a line on its standard input, which stays open for as long as somebody wants it done, and says
in JSON lines on its standard output how far it is. What libraries write for a terminal goes into its error stream.
"""

import json
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TextIO

from bench.errors import BenchError
from bench.results import runs
from bench.trackers import mlflow, telling, tensorboard, trackio, wandb
from bench.trackers.targets import Target, without_secrets
from bench.words import cut

_FAULTS = 2  # cells in a row that a tracker does not take, after which it is asked no more
_LONGEST = 400  # characters of a fault

_TAKEN_AWAY = (
    *("MLFLOW_RUN_ID", "MLFLOW_TAGS", "MLFLOW_NESTED_RUN"),  # for which Accelerate would put all cells into one run
    *("WANDB_RUN_ID", "WANDB_RUN_GROUP", "WANDB_NAME", "WANDB_RESUME"),  # the same
    *("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL"),  # where nobody can be asked what is there already
)
_UNLESS_SAID = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",  # seconds
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "WANDB_MODE": "offline",
    "WANDB_SILENT": "true",
    "WANDB_ERROR_REPORTING": "false",
}

_FAULT = (
    (r"error code 40[13]|40[13] Client Error|UNAUTHENTICATED|PERMISSION_DENIED", "it refuses us ({0})",
     "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, to what it takes"),
    (r"[Tt]imed? ?out", "no answer in time", "see that it is up"),
    (r"[Cc]onnection refused", "connection refused", "see that it is up"),
    (r"Name or service not known|Failed to resolve|getaddrinfo", "no machine has this name", "see that it is right"),
    (r"error code 404|Expecting value", "no MLflow server answers there", "see that the address is right"),
    (r"No space left|Disk quota", "the disk is full", "free some space"),
    (r"Permission denied|Read-only file system", "not writable", "name another folder"),
)  # fmt: skip


class Tracker(Protocol):
    """What a tracker does for us; it knows cells by their names in records."""

    def open(self, group: telling.Group) -> dict[str, str]:
        """Make or find the place of a run: the cells that are there whole, and the digest of each."""

    def put(self, told: telling.Told) -> None:
        """Send a cell; what is there of it, whole or not, goes first."""

    def close(self) -> str:
        """All is sent: how to see it."""


_TRACKERS: dict[str, Callable[[str], Tracker]] = {
    "mlflow": mlflow.MLflow,
    "tensorboard": tensorboard.TensorBoard,
    "trackio": trackio.Trackio,
    "wandb": wandb.WandB,
}


def send(run: Path, target: Target, say: Any) -> None:
    """Send what a tracker lacks of a run; ``say`` is told what of it is done, and what is not."""
    found = telling.group(runs.read(run))
    say(cells=len(found.cells), damaged=found.damaged)
    try:
        tracker = _TRACKERS[target.name](target.address)
        say(ready=True)
        there = tracker.open(found)
    except Exception as error:
        say(**_said(error, target.name))
        return
    missing = [told for told in found.cells if there.get(told.cell) != told.digest]
    say(there=len(found.cells) - len(missing))
    in_a_row = 0
    for told in missing:
        try:
            tracker.put(told)
        except Exception as error:
            in_a_row += 1
            say(**_said(error, target.name))
            if in_a_row == _FAULTS:
                return
        else:
            in_a_row = 0
            say(sent=told.cell)
    try:
        say(view=tracker.close())
    except Exception as error:
        say(**_said(error, target.name))


def _said(error: Exception, name: str) -> dict[str, str]:
    """What is wrong, and the remedy."""
    text = without_secrets(" ".join(str(error).split()))
    if isinstance(error, BenchError):
        fault, _, remedy = text.rpartition("; ")
        return {"fault": fault or text, "remedy": remedy if fault else ""}
    for pattern, fault, remedy in _FAULT:
        if (name == "mlflow" or "MLFLOW" not in remedy) and (there := re.search(pattern, text)):
            return {"fault": fault.format(there[0]), "remedy": remedy}
    if isinstance(error, OSError) and error.strerror and name != "mlflow":
        return {"fault": f"{error.filename}: {error.strerror.lower()}", "remedy": "name another folder"}
    return {"fault": cut(f"{type(error).__name__}: {text}", _LONGEST), "remedy": ""}


@contextmanager
def _own_output() -> Iterator[TextIO]:
    """The standard output for ourselves alone: what anybody else prints, C code included, goes to the error stream."""
    sys.stdout.flush()
    with os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1) as output:
        os.dup2(2, 1)
        yield output


def _end_with_input() -> None:
    """Whoever wanted this done is gone when our input ends."""
    while sys.stdin.readline():
        pass
    os._exit(1)


def main() -> None:
    """Do what stands on the standard input."""
    for name in _TAKEN_AWAY:
        os.environ.pop(name, None)
    for name, value in _UNLESS_SAID.items():
        os.environ.setdefault(name, value)
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # Accelerate would take a GPU for itself
    with _own_output() as output:
        asked = json.loads(sys.stdin.readline())
        threading.Thread(target=_end_with_input, daemon=True).start()
        from accelerate import PartialState

        PartialState(cpu=True)
        try:
            send(Path(asked["run"]), Target(*asked["target"]), lambda **said: print(json.dumps(said), file=output))
        except BenchError as error:
            print(json.dumps(_said(error, "")), file=output)
        output.flush()
        os._exit(0)  # and wait for nothing that a tracker's threads still try


if __name__ == "__main__":
    main()
