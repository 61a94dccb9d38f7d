"""What test items add to the scores of a run's cells, in one file: ``items.parquet`` of a packed run.

The same items are hard for all approaches. So of cells of one model, target and seed each number is stored as what it
differs by from that of a pattern, the cell nearest to their median, in the steps it is rounded to; nothing is lost. A
row is a (cell, metric): ``part`` (which cells have a pattern in common), ``exponent`` (the step is 2 to it), ``n``
items, ``there`` (bits of the items that have a number; empty where all have), and the differences: ``base``, and
``values`` that are added to it, zigzag, low bytes of all before the next ones. The patterns are rows without a cell.
Row groups are independent of each other, and their pages have checksums: what a flipped bit hits costs the items of a
few dozen cells. Imports no torch, and numpy and pyarrow when there is something to do.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.results import files, items
from bench.results.files import Damaged

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Whole = npt.NDArray[np.int64]

NAME = "items.parquet"

_TOGETHER = 64  # cells with a pattern in common, and about as many in a row group
_MOST = 1 << 31  # bytes of a file, unpacked
_WIDTHS = (1, 2, 4, 8)
_CELL = re.compile(r"([A-Za-z0-9_+-][A-Za-z0-9_+.-]{0,240})?")


class _Row(NamedTuple):
    cell: str
    metric: str
    part: int
    exponent: int
    n: int
    there: bytes
    base: int
    values: bytes


def pack(run: Path, loose: Mapping[str, Path], before: "PackedItems", records: Mapping[str, str]) -> list[str]:
    """Make the file of a run's cells from those in its folder, and from what was packed before.

    Args:
        run: its folder.
        loose: cell to the file that lies beside its record.
        before: what was packed.
        records: cell to the text of its record.

    Returns:
        The cells whose file can be taken away: what is in it can be read from the packed one. One whose file cannot be
        read is not among them.
    """
    scores, found = dict[str, items.Scores](), dict[str, items.Scores]()
    for cell in before.cells:
        with suppress(Damaged):
            scores[cell] = before.scores(cell)
    for cell, path in loose.items():
        with suppress(Damaged):
            found[cell] = items.decoded(files.content(path))
    if not (scores := scores | found):
        return []
    write(run / NAME, scores, {cell: _kind(records.get(cell, "")) for cell in scores})
    written = PackedItems(run)
    return [cell for cell, one in found.items() if _are_equal(written, cell, one)]


def _kind(record: str) -> list[Any]:
    """What a cell has in common with those that its items are like."""
    try:
        asked = json.loads(record)["asked"]
        return [asked[name] for name in ("model", "target", "seed")]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []


def _are_equal(written: "PackedItems", cell: str, scores: items.Scores) -> bool:
    import numpy as np

    with suppress(Damaged):
        there = written.scores(cell)
        if there.keys() == scores.keys():
            return all(np.array_equal(there[metric], values, equal_nan=True) for metric, values in scores.items())
    return False


def write(path: Path, scores: Mapping[str, items.Scores], kinds: Mapping[str, Any]) -> None:
    """Store the items of cells, which are rounded (:func:`bench.results.items.rounded`).

    Args:
        path: of the file.
        scores: cell to what is stored of it.
        kinds: cell to what it has in common with those that its items are like: its model, target and seed.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = (pa.string(), pa.string(), *[pa.int32()] * 3, pa.binary(), pa.int64(), pa.binary())
    schema = pa.schema(list(zip(_Row._fields, types, strict=True)))
    options: dict[str, Any] = {"compression": "zstd", "compression_level": 19, "use_dictionary": ["cell", "metric"]}
    options |= {"write_statistics": False, "store_schema": False, "write_page_checksum": True}

    def save(partial: Path) -> None:
        with pq.ParquetWriter(partial, schema, **options) as file:
            for rows in _groups(scores, kinds):
                columns = zip(*rows, strict=True)
                file.write_table(
                    pa.table(
                        [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)], schema=schema
                    )
                )

    files.write_atomically(path, save)


def _groups(scores: Mapping[str, items.Scores], kinds: Mapping[str, Any]) -> Iterator[list[_Row]]:
    """The rows of each row group."""
    alike: dict[str, list[str]] = {}
    for cell in sorted(scores):
        alike.setdefault(str(kinds.get(cell)), []).append(cell)
    parts = [cells[at : at + _TOGETHER] for _, cells in sorted(alike.items()) for at in range(0, len(cells), _TOGETHER)]
    rows, held = list[_Row](), 0
    for part, cells in enumerate(parts):
        for metric in sorted({metric for cell in cells for metric in scores[cell]}):
            rows += _rows(part, metric, {cell: scores[cell][metric] for cell in cells if metric in scores[cell]})
        held += len(cells)
        if held >= _TOGETHER or part == len(parts) - 1:
            yield rows
            rows, held = [], 0


def _rows(part: int, metric: str, found: Mapping[str, items.Floats]) -> Iterator[_Row]:
    """The pattern of the cells, and what each differs by from it. Where the pattern has no number it is the median."""
    import numpy as np

    whole = np.full((len(found), max(map(len, found.values()))), np.nan)
    for row, values in zip(whole, found.values(), strict=True):
        row[: len(values)] = values
    exponents = [_exponent(values[~np.isnan(values)]) for values in found.values()]
    median = np.nanmedian(np.where(np.isnan(whole).all(0), 0, whole), 0)
    nearest = np.nansum(np.abs(whole - median), 1).argmin()
    pattern, finest = np.where(np.isnan(whole[nearest]), median, whole[nearest]), exponents[nearest]
    steps = np.rint(pattern * 2.0**-finest).astype(np.int64)
    yield _Row("", metric, part, finest, len(steps), b"", *_bytes(steps))
    pattern = steps * 2.0**finest
    for (cell, values), exponent in zip(found.items(), exponents, strict=True):
        there = ~np.isnan(values)
        difference = np.rint(values * 2.0**-exponent) - np.rint(pattern[: len(values)] * 2.0**-exponent)
        bits = b"" if there.all() else np.packbits(there).tobytes()
        yield _Row(cell, metric, part, exponent, len(values), bits, *_bytes(difference[there].astype(np.int64)))


def _exponent(values: items.Floats) -> int:
    """Of the largest power of two that all values are multiples of; 0 where all are zero."""
    import numpy as np

    parts, exponents = np.frexp(values[values != 0])
    whole = (parts * 2.0**53).astype(np.int64)
    lowest = np.frexp((whole & -whole).astype(float))[1] - 1
    return int((exponents - 53 + lowest).min(initial=10**4)) if whole.size else 0


def _bytes(numbers: "Whole") -> tuple[int, bytes]:
    """Whole numbers as a base and what is added to it, in as few bytes as the largest needs."""
    import numpy as np

    base = int(np.median(numbers))
    zigzag = ((numbers - base << 1) ^ (numbers - base >> 63)).astype("<u8")
    largest = int(zigzag.max())
    width = next(width for width in _WIDTHS if largest < 1 << 8 * width)
    return base, zigzag.view(np.uint8).reshape(-1, 8)[:, :width].T.tobytes()


def _numbers(row: _Row, n: int) -> "Whole":
    import numpy as np

    content = row.values

    if n == 0 or len(content) % n or len(content) // n not in _WIDTHS:
        raise Damaged(f"{len(content)} bytes are no {n} numbers")
    zigzag = np.zeros((n, 8), np.uint8)
    zigzag[:, : len(content) // n] = np.frombuffer(content, np.uint8).reshape(-1, n).T
    unsigned = zigzag.view("<u8")[:, 0]
    numbers: Whole = row.base + ((unsigned >> 1).astype(np.int64) ^ -(unsigned & 1).astype(np.int64))
    return numbers


class PackedItems:
    """The file of a run, as far as there is one and it can be read.

    Attributes:
        damaged: what is wrong with it; empty where nothing is.
        cells: that it has items of, in its order.
    """

    def __init__(self, run: Path) -> None:
        self.damaged = ""
        self._patterns: dict[tuple[int, str], _Row] = {}
        self._steps: dict[tuple[int, str], Whole] = {}
        self._rows: dict[str, list[_Row]] = {}
        for row in self._read(path) if (path := run / NAME).exists() else ():
            if row.cell:
                self._rows.setdefault(row.cell, []).append(row)
            else:
                self._patterns[row.part, row.metric] = row
        self.cells = list(self._rows)

    def scores(self, cell: str) -> items.Scores:
        """What is stored of a cell; nothing where it has none, :class:`Damaged` where it cannot be read."""
        try:
            return {row.metric: self._values(row) for row in self._rows.get(cell, ())}
        except (ValueError, KeyError, OverflowError) as error:
            raise Damaged(f"in {NAME}: {str(error) or type(error).__name__}") from error

    def _values(self, row: _Row) -> items.Floats:
        import numpy as np

        key = row.part, row.metric
        pattern = self._patterns[key]
        if not 0 < row.n <= pattern.n or max(abs(row.exponent), abs(pattern.exponent)) > 1000:
            raise Damaged("a row is not what it can be")
        if key not in self._steps:
            self._steps[key] = _numbers(pattern, pattern.n)
        base = self._steps[key][: row.n] * 2.0**pattern.exponent * 2.0**-row.exponent
        there = np.unpackbits(np.frombuffer(row.there, np.uint8), count=row.n).astype(bool)
        there = there if row.there else np.ones(row.n, bool)
        found = np.full(row.n, np.nan)
        count = int(there.sum())
        found[there] = (np.rint(base[there]) + _numbers(row, count)) * 2.0**row.exponent
        return items.checked(found, row.metric)

    def _read(self, path: Path) -> Iterator[_Row]:
        import pyarrow.parquet as pq

        read = 0
        try:
            file = pq.ParquetFile(files.regular(path, _MOST), page_checksum_verification=True)
            about = file.metadata
            groups: Iterable[int] = range(about.num_row_groups)
            size = sum(about.row_group(group).total_byte_size for group in groups)
            if size > _MOST or about.num_rows > _MOST >> 6:
                raise Damaged("larger than any run")
        except Exception as error:  # what libraries say of a damaged file is of many kinds
            self.damaged = files.said(error)
            return
        for group in groups:
            try:
                rows = [_Row(**row) for row in file.read_row_group(group).to_pylist()]
                if not all(_is_whole(row) for row in rows):
                    raise Damaged("a row is not what it can be")
                yield from rows
                read += 1
            except Exception as error:
                self.damaged = self.damaged or files.said(error)
        if self.damaged:
            self.damaged = f"{self.damaged}; {read} of its {about.num_row_groups} parts can be read"


def _is_whole(row: _Row) -> bool:
    kinds = zip(row, (str, str, int, int, int, bytes, int, bytes), strict=True)
    return all(isinstance(value, kind) for value, kind in kinds) and bool(_CELL.fullmatch(row.cell))
