"""Data sizes that a source does not say: among results with sizes, 0 says that no target data were used."""

from collections.abc import Collection
from typing import Any, NamedTuple

from bench.results.imported import Cell

_WITHOUT_DATA = ("zero_shot", "real_data", "training_data")
"""Controls that use no target data, whether a source says so or not."""


class Settled(NamedTuple):
    """Cells that have a size, those that are left out, and whether 0 stands for a size that nobody said."""

    kept: list[Cell]
    left_out: list[Cell]
    is_stand_in: bool


def entry(size: int | None, options: dict[str, Any]) -> dict[str, int]:
    """``data_size`` of a record; nothing where only all results together can tell (:func:`settle`).

    Args:
        size: as it is said, or None.
        options: of the approach, by its parts.
    """
    if size is None and _uses_none(options):
        return {"data_size": 0}
    return {} if size is None else {"data_size": size}


def settle(cells: Collection[Cell]) -> Settled:
    """Enter a size into all cells where none has one: 0, as of one size, so that they are compared among themselves.

    Where some have one, those without are to be left out: with 0 they would stand beside every size.
    """
    without = [cell for cell in cells if "data_size" not in cell.asked]
    if any(cell.asked.get("data_size", 0) or _says_none(cell) for cell in cells):
        return Settled([cell for cell in cells if "data_size" in cell.asked], without, False)
    for cell in without:
        cell.asked["data_size"] = 0
    return Settled(list(cells), [], bool(without))


def _says_none(cell: Cell) -> bool:
    """Whether it is said of an approach that it uses no target data; of the controls nobody need say it."""
    return "data_size" in cell.asked and not _uses_none(cell.asked["options"])


def _uses_none(options: dict[str, Any]) -> bool:
    return len(options) == 1 and next(iter(options)) in _WITHOUT_DATA
