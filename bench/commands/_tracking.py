"""What commands say of what was sent to trackers."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.commands import _saying

if TYPE_CHECKING:
    from bench.trackers.sending import Outcome


def show(outcomes: "Sequence[Outcome]", run: Path, before: str = "", *, quiet: bool = False) -> int:
    """A line for each tracker that has something of a run, and one for each that lacks something, whose number this is.

    Args:
        outcomes: of each tracker.
        run: the run's folder.
        before: at the head of a line.
        quiet: whether only what is lacking is said.
    """
    complaints = [one.complaint(run) for one in outcomes]
    for one, complaint in zip(outcomes, complaints, strict=True):
        if not quiet and (one.sent + one.there or not complaint):
            print(before + _saying.printable(one.line()))
    found = [complaint for complaint in complaints if complaint]
    _saying.tell(found)
    return len(found)
