"""A run is sent to trackers by processes of their own, which are waited for no longer than is bearable.

Imports no torch.
"""

import fcntl
import json
import os
import queue
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from bench.trackers.targets import Target, without_secrets
from bench.words import counted, cut

BEGINS = 120.0  # seconds for the process to import torch and the tracker's package
SILENCE = 60.0  # seconds for a tracker to take a cell
LIMIT = 300.0  # seconds that a run waits for its trackers when all else is done, or
SHARE = 0.05  # of the time that it took


@dataclass
class Outcome:
    """What came of sending a run to a tracker.

    Attributes:
        target: the tracker.
        cells: that there are to send.
        there: of them were there before.
        sent: of them now.
        damaged: records that cannot be read, and are no cells here.
        faults: what is wrong, each with its remedy.
        view: how to see what is there.
    """

    target: Target
    cells: int = 0
    there: int = 0
    sent: int = 0
    damaged: int = 0
    faults: list[tuple[str, str]] = field(default_factory=list)
    view: str = ""

    @property
    def not_sent(self) -> int:
        """Cells that the tracker has not, as far as we know."""
        return self.cells - self.there - self.sent

    def line(self) -> str:
        """What was sent."""
        before = f", {self.there} {'was' if self.there == 1 else 'were'} there" if self.there else ""
        return f"{self.target}: {counted(self.sent, 'cell')} sent{before}" + (f"; {self.view}" if self.view else "")

    def complaint(self, run: Path) -> str:
        """What was not sent, why, and what to do; empty where all is there."""
        fault, remedy = self.faults[0] if self.faults else ("", "")
        then = f"then: {command(run, self.target)}"
        if self.not_sent:
            what = f"{self.not_sent} of {counted(self.cells, 'cell')} not sent ({fault or 'nobody knows why'})"
            return f"{self.target}: {what}; {remedy + ', ' if remedy else ''}{then}"
        if self.faults:
            return f"{self.target}: {fault}; {remedy + ', ' if remedy else ''}{then}"
        if self.damaged:
            verify = f"bench verify {shlex.quote(str(run))}"
            return f"{self.target}: {counted(self.damaged, 'damaged record')} not sent; {verify} says what is wrong"
        return ""

    def as_json(self) -> dict[str, Any]:
        """The same for scripts."""
        said = {"sent": self.sent, "there": self.there, "not_sent": self.not_sent, "damaged": self.damaged}
        return said | {"faults": [list(fault) for fault in self.faults], "view": self.view}


def command(run: Path, target: Target) -> str:
    """What sends a run once more. An address that lets one in is not repeated."""
    plain = without_secrets(target.address) == target.address
    if target.name == "mlflow" and (not plain or target.address == os.environ.get("MLFLOW_TRACKING_URI")):
        return f"bench track {shlex.quote(str(run))} --to mlflow"
    return f"bench track {shlex.quote(str(run))} --to {shlex.quote(f'{target.name}={target.address}')}"


class Sending:
    """A run on its way to a tracker, in a process of its own; on none, where a ``fault`` is in its way."""

    def __init__(self, run: Path, target: Target, fault: str = "") -> None:
        self.run, self.outcome = run, Outcome(target)
        self._ready, self._ended = False, bool(fault)
        self._process: subprocess.Popen[str] | None = None
        if fault:
            self._fault(fault, "wait for it")
            return
        try:
            self._process = self._start()
        except OSError as error:  # a system that has no process to give, or no place for its output
            self._fault(f"no process can be started ({error.strerror or error})", "")

    def _start(self) -> subprocess.Popen[str]:
        self._said: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # until it is stopped
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "bench.trackers.sender"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=self._errors, text=True, encoding="utf-8", start_new_session=True,
            )  # fmt: skip
        except OSError:
            self._errors.close()
            raise
        with suppress(BrokenPipeError):  # what ended it is told when its output ends
            assert process.stdin
            # not on its command line, where everybody could read who may do what
            process.stdin.write(json.dumps({"run": str(self.run.absolute()), "target": self.outcome.target}) + "\n")
            process.stdin.flush()
        self._listener = threading.Thread(target=self._listen, args=(process.stdout,), daemon=True)
        self._listener.start()
        return process

    def _listen(self, output: IO[str]) -> None:
        with output:
            for line in output:
                self._said.put(line)
        self._said.put(None)

    def wait(self, until: float = float("inf")) -> Outcome:
        """Until it has ended, or does nothing any more, or the monotonic clock says ``until``; then it is gone."""
        try:
            while not self._ended:
                now, patience = time.monotonic(), SILENCE if self._ready else BEGINS
                try:
                    self._note(self._said.get(timeout=max(0.0, min(until - now, patience))))
                except queue.Empty:
                    late = until - now < patience
                    said = "there was no more time" if late else f"no answer in {patience:g} s"
                    self._fault(said, "" if late else "see that it is up")
        finally:
            self.stop()
        if not self.outcome.cells and self.outcome.faults:  # it did not come as far as to count them
            self.outcome.cells = _count(self.run)
        return self.outcome

    def _note(self, line: str | None) -> None:
        if line is None:
            self._ended = True
            if (self._process and self._process.wait()) or not (self.outcome.view or self.outcome.faults):
                self._fault(f"its process ended: {self._last_words()}", "")
            return
        said = json.loads(line)
        self._ready |= said.get("ready", False)
        for name in ("cells", "damaged", "there", "view"):
            setattr(self.outcome, name, said.get(name, getattr(self.outcome, name)))
        self.outcome.sent += "sent" in said
        if "fault" in said:
            self.outcome.faults.append((said["fault"], said["remedy"]))

    def _fault(self, said: str, remedy: str) -> None:
        self.outcome.faults.append((said, remedy))
        self._ended = True

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read()[-4000:].decode(errors="replace").strip().splitlines()
        return cut(without_secrets(lines[-1].strip()), 300) if lines else "it said nothing"

    def stop(self) -> None:
        """End the process, and whatever it has started."""
        if self._process is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._listener.join()
        for stream in (self._process.stdin, self._errors):
            if stream:
                with suppress(OSError):
                    stream.close()
        self._process = None


@contextmanager
def beside(run: Path, targets: Sequence[Target]) -> Iterator[list[Sending]]:
    """Send a run to each target while something else is done.

    One process at a time sends a run: each would think that the other's cells are not there.
    """
    if not targets:
        yield []
        return
    with (run / "run.json").open("rb") as file:
        fault = ""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            fault = "another process sends this run"
        sendings = [Sending(run, target, fault) for target in targets]
        try:
            yield sendings
        finally:
            for one in sendings:
                one.stop()


def outcomes(sendings: Sequence[Sending], limit: float = float("inf")) -> list[Outcome]:
    """What came of each; all of them are waited for ``limit`` seconds at most."""
    until = time.monotonic() + limit
    return [one.wait(until) for one in sendings]


def bearable(seconds: float) -> float:
    """How long a run that took so many seconds may wait for its trackers."""
    return max(LIMIT, SHARE * seconds)


def _count(run: Path) -> int:
    from bench.results import runs

    return len(runs.Cells(run).names())
