"""Which cells' trained weights stay when a run is over, and from when on the others can go. Imports no torch."""

from collections.abc import Iterable
from contextlib import suppress

from bench.results import weights
from bench.running.ledger import Ledger
from bench.suite.cell import Cell

CHOICES = BEST, ALL, NONE = "best", "all", "none"


class Keeping:
    """The weights of one run.

    Until a run is complete, those are there that may still be wanted: to measure a cell, or to stay. With ``best`` that
    is one cell of each model and target, the one with the lowest validation loss of those whose weights are there;
    equal losses: the first in the suite's order. A cell that trained nothing has none.

    Args:
        ledger: of the run.
        keep: ``best``, ``all`` or ``none``.
    """

    def __init__(self, ledger: Ledger, keep: str) -> None:
        self.ledger, self.keep = ledger, keep
        self._place = {cell.id: place for place, cell in enumerate(ledger.cells)}
        self._there: dict[tuple[str, str], dict[str, Cell]] = {}  # of each model and target, those with weights
        self._measured: dict[tuple[str, str, str], int] = {}  # of each kind, the first that ended well: it is measured
        for cell in ledger.cells:
            if ledger.end(cell).status:
                self._note(cell)

    def ended(self, cell: Cell) -> None:
        """A cell was trained or measured: what nothing will ask for any more goes."""
        self._note(cell)
        alike = self._there.get(_pair(cell), {})
        wanted = self._wanted(alike)
        for other in [one for one in alike.values() if one.id not in wanted and not self._to_measure(one)]:
            self._remove(other)

    def settle(self) -> dict[str, str]:
        """The run is complete: only what is to stay is left.

        Returns:
            :func:`bench.results.weights.checksums` of all that is there, also of cells that the suite no longer has.
        """
        for cell in self.ledger.cells:
            if self.ledger.end(cell).status != "ok":
                weights.path(self.ledger.folder, cell.id).unlink(missing_ok=True)
        for alike in list(self._there.values()):
            wanted = self._wanted(alike)
            for cell in [one for one in alike.values() if one.id not in wanted]:
                self._remove(cell)
        with suppress(OSError):
            (self.ledger.folder / weights.FOLDER).rmdir()
        return weights.checksums(self.ledger.folder, self.ledger.weights)

    def _note(self, cell: Cell) -> None:
        """What a cell's record and its weights' file say now."""
        end, there = self.ledger.end(cell), self._there.setdefault(_pair(cell), {})
        if end.status == "ok" and weights.path(self.ledger.folder, cell.id).exists():
            there[cell.id] = cell
        else:
            there.pop(cell.id, None)
        if end.status == "ok":
            place = self._place[cell.id]
            self._measured[_kind(cell)] = min(place, self._measured.get(_kind(cell), place))

    def _wanted(self, alike: dict[str, Cell]) -> set[str]:
        if self.keep != BEST:
            return set(alike) if self.keep == ALL else set()
        losses = {name: self.ledger.end(cell).validation_loss for name, cell in alike.items()}
        told = [(loss, self._place[name], name) for name, loss in losses.items() if loss is not None]
        return {min(told)[2]} if told else set()

    def _to_measure(self, cell: Cell) -> bool:
        if self.ledger.end(cell).measured:
            return False
        return cell.evaluation.measure != "once" or self._measured[_kind(cell)] >= self._place[cell.id]

    def _remove(self, cell: Cell) -> None:
        weights.path(self.ledger.folder, cell.id).unlink(missing_ok=True)
        self._there[_pair(cell)].pop(cell.id, None)


def without(known: dict[str, str], cells: Iterable[Cell]) -> dict[str, str]:
    """Checksums but those of cells that are trained anew."""
    anew = {cell.id for cell in cells}
    return {name: told for name, told in known.items() if weights.cell_of(name) not in anew}


def _pair(cell: Cell) -> tuple[str, str]:
    return cell.model_name, cell.target.name


def _kind(cell: Cell) -> tuple[str, str, str]:
    return cell.model_name, cell.target.name, cell.approach
