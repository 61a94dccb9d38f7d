"""What a cell that was killed left is no fault of its run."""

from pathlib import Path

from bench.results import verification
from tests import tiny


def test_what_a_killed_cell_keeps_belongs_to_its_run(finished: Path, tmp_path: Path) -> None:
    folder = tiny.latest(tiny.copied(finished, tmp_path))
    cell = next(iter(tiny.records(folder).values()))["cell"]
    kept = folder / "cells" / cell / "unfinished"
    kept.mkdir(parents=True)
    (kept / "000001.safetensors").write_bytes(b"")
    (kept / "trials.json").write_text("{}")
    found = verification.verify(folder)
    assert not found.faults
    assert not found.strange
    stranger = folder / "cells" / "other" / "unfinished"
    stranger.mkdir(parents=True)
    assert list(verification.verify(folder).strange) == ["cells/other"]
