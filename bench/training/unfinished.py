"""What a cell that is under way keeps in its folder: the trials that are over, and checkpoints of the one at work.

::

    cells/<cell>/unfinished/trials.json       of the trials that are over; what they chose to learn from beside it
    cells/<cell>/unfinished/<n>.safetensors   a checkpoint: tensors, and JSON with all else in the header

Nothing here is a pickle. A checkpoint is written beside its place, brought to the disk and renamed. It may build on
others, such as on what a stage left; the newest two stay, with those that they build on. Each has checksums, and says
of which cell and by which versions it was made: any other counts as none.
"""

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from bench import items
from bench.dataset import Dataset
from bench.errors import ResultsError
from bench.results import files
from bench.suite.cell import GENERATION, Cell
from bench.training.state import digest

_FORMAT = 1  # raised when a checkpoint means something else
_KEPT = 2
_BROKEN = (OSError, ValueError, KeyError, TypeError, SafetensorError, ResultsError, RuntimeError)


class Unfinished:
    """The folder of one cell that is under way.

    Args:
        folder: where; it is made when there is something to keep.
        cell: whose.

    Attributes:
        notes: a line for each time that the cell went on, and for what could not be used or kept.
        seconds: that the cell has taken before this process, as far as it was noted.
    """

    def __init__(self, folder: Path, cell: Cell) -> None:
        self.folder = folder
        python, library = sys.version_info[:2], torch.__version__.split(".")[:2]
        self.versions = {
            "format": _FORMAT, "cell": cell.key, "generation": GENERATION,
            "python": ".".join(map(str, python)), "torch": ".".join(library),
        }  # fmt: skip
        self.notes, self.seconds, self._began = list[str](), 0.0, time.perf_counter()
        self._chains = dict[int, list[int]]()

    def elapsed(self) -> float:
        """Seconds that the cell has taken, in this process and before."""
        return self.seconds + time.perf_counter() - self._began

    def say(self, line: str) -> None:
        """Say something in the cell's log."""
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    def note(self, line: str) -> None:
        """Say something in the cell's log and in its record."""
        self.say(line)
        self.notes.append(line)

    # Checkpoints ----------------------------------------------------------------------------------------------------

    def numbers(self) -> list[int]:
        """Of the checkpoints that are there, the newest first."""
        return sorted(
            (int(path.stem) for path in self.folder.glob("*.safetensors") if path.stem.isdecimal()), reverse=True
        )

    def write(self, about: dict[str, Any], tensors: dict[str, Tensor], builds_on: list[int]) -> int:
        """A new checkpoint; its number. ``OSError`` or :class:`ResultsError` where the disk has no room for it."""
        number = max([0, *self.numbers(), *self._chains]) + 1
        tensors, seen = {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}, set[int]()
        for key, tensor in tensors.items():  # which safetensors would not have be parts of one memory
            if (storage := tensor.untyped_storage().data_ptr()) in seen and tensor.numel():
                tensors[key] = tensor.clone()
            seen.add(storage)
        whole = about | {"versions": self.versions, "notes": self.notes, "cell_seconds": self.elapsed()}
        whole["builds_on"] = builds_on
        text = json.dumps(whole | {"hashes": {key: digest(tensor) for key, tensor in tensors.items()}})

        def bring(partial: Path) -> None:
            save_file(tensors, partial, {"about": text, "sha256": hashlib.sha256(text.encode()).hexdigest()})
            with partial.open("rb") as file:
                os.fsync(file.fileno())

        files.write_atomically(self._path(number), bring)
        self._chains[number] = [number, *builds_on]
        needed = {one for newest in sorted(self._chains)[-_KEPT:] for one in self._chains[newest]}
        for old in set(self.numbers()) - needed:
            self._path(old).unlink(missing_ok=True)
            self._chains.pop(old, None)
        return number

    def about(self, number: int) -> dict[str, Any]:
        """What a checkpoint says beside its tensors; ``ValueError`` where it is not whole, or another cell's."""
        with safe_open(self._path(number), "pt") as file:
            said = file.metadata() or {}
        text = said.get("about", "")
        if hashlib.sha256(text.encode()).hexdigest() != said.get("sha256"):
            raise ValueError("its checksum is of something else")
        found: dict[str, Any] = json.loads(text)
        for name, version in self.versions.items():
            if (other := found["versions"].get(name)) != version:
                raise ValueError(f"it is of another version: {name} {other}, not {version}")
        return found

    def read(self, number: int) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """A checkpoint, checked; ``ValueError`` where it is damaged."""
        about, tensors = self.about(number), load_file(self._path(number))
        if {key: digest(tensor) for key, tensor in tensors.items()} != about["hashes"]:
            raise ValueError("its checksum is of something else")
        return about, tensors

    def usable(self, trial: int) -> tuple[int, dict[str, Any] | None]:
        """The newest checkpoint of a trial that can be used, with all that it builds on; what cannot is removed.

        Returns:
            its number, and what it says; 0 and None where there is none.
        """
        for number in self.numbers():
            try:
                about = self._whole(number)
            except _BROKEN as error:
                self.discard(number, files.said(error))
                continue
            if about["trial"] != trial:  # which was over when the process was killed
                self._path(number).unlink(missing_ok=True)
                continue
            self._chains[number] = [number, *about["builds_on"]]
            self.notes[:] = about["notes"] + [note for note in self.notes if note not in about["notes"]]
            self.seconds = max(self.seconds, about["cell_seconds"])
            return number, about
        return 0, None

    def _whole(self, number: int) -> dict[str, Any]:
        about, _ = self.read(number)
        for other in about["builds_on"]:
            try:
                self.read(other)
            except _BROKEN as error:
                raise ValueError(
                    f"checkpoint {other}, on which it builds, cannot be used ({files.said(error)})"
                ) from error
        return about

    def discard(self, number: int, why: str) -> None:
        """Take a checkpoint away that cannot be used, and say so."""
        self._path(number).unlink(missing_ok=True)
        self._chains.pop(number, None)
        left = "the one before it is used" if self.numbers() else "the trial starts anew"
        self.note(f"checkpoint {number} inside the cell cannot be used ({why}); {left}")

    def clear(self) -> None:
        """Take all checkpoints away: the trial is over."""
        for number in self.numbers():
            self._path(number).unlink(missing_ok=True)
        self._chains.clear()

    # Trials ---------------------------------------------------------------------------------------------------------

    def trials(self, weights: Path) -> dict[str, Any]:
        """What :meth:`keep_trials` kept; nothing where it cannot be used.

        Args:
            weights: the file of the best trial's; it must be the one that belongs to it.
        """
        path = self.folder / "trials.json"
        if not path.exists():
            return {}
        try:
            found: dict[str, Any] = json.loads(files.content(path))
            text = json.dumps(found["kept"])
            if hashlib.sha256(text.encode()).hexdigest() != found["sha256"]:
                raise ValueError("its checksum is of something else")
            kept: dict[str, Any] = found["kept"]
            if kept["versions"] != self.versions:
                raise ValueError("it is of another version")
            if kept["weights"] != self.weights(weights):
                raise ValueError(f"{weights.name} is not that of the trials it has")
        except _BROKEN as error:
            self.remove()
            self.note(f"trials.json inside the cell cannot be used ({files.said(error)}); the cell starts anew")
            return {}
        self.notes[:], self.seconds = [*self.notes, *kept["notes"]], kept["seconds"]
        return kept

    def keep_trials(self, kept: dict[str, Any], learned: Dataset | None) -> None:
        """Note the trials that are over, and which examples the best chose to learn from, where it did itself.

        Where the disk has no room for it the cell goes on without, and says so.
        """
        whole = kept | {"versions": self.versions, "notes": self.notes, "seconds": self.elapsed()}
        text = json.dumps(whole)
        whole = {"kept": whole, "sha256": hashlib.sha256(text.encode()).hexdigest()}
        with self.attempt():
            if learned:
                there = self.folder / f"learned-{kept['best'] + 1}"
                shutil.rmtree(there, ignore_errors=True)
                there.mkdir(parents=True)
                items.write(learned.train, there, "train")
            files.write_atomically(self.folder / "trials.json", lambda partial: partial.write_text(json.dumps(whole)))
            self.clear()

    @staticmethod
    def weights(path: Path) -> str:
        """Hash of a file of weights; empty where there is none."""
        if not path.exists():
            return ""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "blake2b").hexdigest()

    def learned(self, trial: int, data: Dataset) -> Dataset:
        """The data that trial number ``trial`` chose to learn from."""
        return data.learning_from(items.read(self.folder / f"learned-{trial + 1}", "train"))

    # Both -----------------------------------------------------------------------------------------------------------

    def attempt(self) -> "_Attempt":
        """What is kept inside the block is kept if there is room for it; if not, that is said."""
        return _Attempt(self.note)

    def remove(self) -> None:
        """Take everything away: the cell has ended."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.safetensors"


class _Attempt:
    """Context manager that says what a disk would not take, and goes on.

    Attributes:
        failed: whether it would not.
    """

    def __init__(self, note: Callable[[str], None]) -> None:
        self.note, self.failed = note, False

    def __enter__(self) -> "_Attempt":
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, Exception):
            return False
        self.failed = True  # whatever it is, a cell does not end for it
        self.note(f"no checkpoint inside the cell could be written ({files.said(error)}); it goes on without")
        return True
