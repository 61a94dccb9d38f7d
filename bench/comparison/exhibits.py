"""What both sides made of one cell, beside each other: pictures, sounds or texts."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, NamedTuple

from bench.comparison.sides import Side
from bench.report import samples
from bench.report.samples import Grid, Specimen

Sides = tuple[Side, Side]
Records = tuple[dict[str, Any] | None, dict[str, Any] | None]
"""Of the earlier and the later side; None where that has no such cell."""


class Item(NamedTuple):
    """A ``picture``, the address of a ``sound``, or a ``text``; ``same`` where it is what the other side has, and
    ``nothing`` where there is none: ``content`` says why."""

    kind: str
    content: "Grid | str"


class Row(NamedTuple):
    """One thing of each side, and what was asked for, if anything: a name and an item each."""

    base: Item
    new: Item
    given: list[tuple[str, Item]]


@dataclass(frozen=True)
class Exhibit:
    """One cell.

    Attributes:
        title: its model and target.
        place: its approach and data.
        seed: of both.
        changes: what became better or worse there, in words, each with its sign.
        rows: what was made.
    """

    title: str
    place: str
    seed: int
    changes: list[str]
    rows: list[Row]

    @property
    def size(self) -> int:
        """Bytes of a page that it takes, nearly."""
        items = [item for row in self.rows for item in (row.base, row.new, *(given for _, given in row.given))]
        return sum(len(item.content if isinstance(item.content, str) else item.content.address) for item in items)


def rows(sides: Sides, records: Records) -> list[Row]:
    """What both sides made of a cell; damaged files are noted in their runs."""
    made = [_items(_made(side, record)) for side, record in zip(sides, records, strict=True)]
    asked = [
        samples.given(side.found, record) if side.found and record else None
        for side, record in zip(sides, records, strict=True)
    ]
    return list(_beside(made[0], made[1], asked))


def _made(side: Side, record: dict[str, Any] | None) -> Specimen:
    if side.found and record:
        return samples.specimen(side.found, record)
    return Specimen("", "", [], None, [], "not in this run" if side.found else "a table has no samples")


def _items(made: Specimen) -> list[Item]:
    if made.grid:
        return [Item("picture", made.grid)]
    several = [*(Item("sound", sound) for sound in made.sounds), *(Item("text", text) for text in made.texts)]
    return several or [Item("nothing", made.note)]


def _beside(base: list[Item], new: list[Item], asked: list[Specimen | None]) -> Iterator[Row]:
    """Both in lines; what is the same on both sides stands once, so does what was asked for."""
    names = ["asked for before", "asked for now"]
    if asked[0] == asked[1] or not all(asked):
        names, asked = ["asked for"], [asked[0] or asked[1]]
    given = [(name, _items(one)) for name, one in zip(names, asked, strict=True) if one]
    pairs = list(zip_longest(base, new, fillvalue=Item("nothing", "no sample")))
    for place, (before, now) in enumerate(pairs):
        if len(pairs) == 1:  # one picture of what several texts asked for
            mine = [(name, item) for name, items in given for item in items]
        else:
            mine = [(name, items[place]) for name, items in given if place < len(items)]
        same = before == now and before.kind != "nothing"
        yield Row(before, Item("same", "") if same else now, mine)
