"""What each test item adds to a cell's scores: ``cells/<cell>/items.parquet``, and how a number is rounded for it.

A column ``item`` (its index in the test split, the same for every approach, seed and data size of a model and target)
and a float32 column for each metric, NaN for an item that has no part in it. A column's mean is the score but for
rounding; see ``items`` of :class:`bench.evaluation.Score`. Imports no torch, and numpy and pyarrow when there is
something to do.
"""

import io
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from bench.results import files
from bench.results.files import Damaged

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Floats: TypeAlias = "npt.NDArray[np.float64]"
Scores: TypeAlias = "dict[str, npt.NDArray[np.float64]]"
"""Metric to what each test item adds to it: shape (N,), for items 0 to N - 1, NaN for one that has no part in it.
The last one has."""

NAME = "items.parquet"
STEPS = 32
"""A number is rounded to a power of two that is at most this part of its metric's standard deviation over the items."""

_MOST = 1 << 24  # items that are read
_LOWEST, _HIGHEST = -126, 100  # powers of two that float32 has, and that no score needs more than


def exponent(values: Floats) -> int:
    """Of the power of two that values, which may be NaN, are rounded to: at most 1/32 of their standard deviation, so
    that rounding adds less than 1/10,000 to their variance; and none that float32 does not hold beside the largest."""
    import numpy as np

    known = values[~np.isnan(values)]
    spread, largest = (float(known.std()), float(np.abs(known).max())) if known.size else (0.0, 0.0)
    finest = int(np.frexp(largest)[1]) - 23
    wanted = int(np.frexp(spread / STEPS)[1]) - 1 if spread > 0 else finest
    return max(finest, wanted, _LOWEST)


def rounded(values: Floats) -> Floats:
    """Values as they are stored."""
    import numpy as np

    step = 2.0 ** exponent(values)
    return np.asarray(np.rint(values / step) * step)


def checked(values: Any, metric: str, most: int = _MOST) -> Floats:
    """Values as an array; :class:`Damaged` where they are no row of at most so many numbers with one in it."""
    import numpy as np

    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        found = np.zeros(0)
    if found.ndim != 1 or not 0 < found.size <= most or np.isinf(found).any() or np.isnan(found).all():
        raise Damaged(f"items of {metric}: not a row of finite numbers, one for each test item")
    if np.nanmax(np.abs(found)) >= 2.0**_HIGHEST:
        raise Damaged(f"items of {metric}: larger than float32 holds")
    return found[: np.flatnonzero(~np.isnan(found))[-1] + 1]


def write(path: Path, scores: Mapping[str, Floats]) -> None:
    """Store what items add to scores, rounded; no file where there is nothing, nor one of an earlier try."""
    if not scores:
        path.unlink(missing_ok=True)
    else:
        content = encoded({metric: rounded(values) for metric, values in scores.items()})
        files.write_atomically(path, lambda partial: partial.write_bytes(content))


def add(path: Path, scores: Mapping[str, Floats]) -> None:
    """:func:`write` beside what is stored of other scores already."""
    if not scores:
        return
    before: Scores = {}
    with suppress(Damaged):
        before = decoded(files.content(path)) if path.exists() else {}
    write(path, before | dict(scores))


def encoded(scores: Mapping[str, Floats]) -> bytes:
    """The file of these scores, which are rounded already; the same bytes with the same version of pyarrow."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    whole = np.full((len(scores), max(map(len, scores.values()))), np.nan, np.float32)
    for row, values in zip(whole, scores.values(), strict=True):
        row[: len(values)] = values
    item = np.flatnonzero(~np.isnan(whole).all(0))
    columns = {"item": item.astype(np.int32)} | dict(zip(scores, whole[:, item], strict=True))
    buffer = io.BytesIO()
    options: dict[str, Any] = {"compression": "zstd", "write_page_checksum": True, "store_schema": False}
    pq.write_table(pa.table(columns), buffer, use_dictionary=False, **options)
    return buffer.getvalue()


def decoded(content: bytes) -> Scores:
    """What is in the file; :class:`Damaged` says why it cannot be read."""
    try:
        import numpy as np
        import pyarrow.parquet as pq

        file = pq.ParquetFile(io.BytesIO(content), page_checksum_verification=True)
        if file.metadata.num_rows > _MOST or len(names := file.schema_arrow.names) != len(set(names)):
            raise Damaged("no table of items")
        columns = {name: column.to_numpy() for name, column in zip(names, file.read().columns, strict=True)}
        item = columns.pop("item")
        if not (np.issubdtype(item.dtype, np.integer) and item.size and item[0] >= 0 and (np.diff(item) > 0).all()):
            raise Damaged("item: not ascending numbers of test items")
        found: Scores = {}
        for metric, values in columns.items():
            whole = np.full(int(checked(item, "item")[-1]) + 1, np.nan)
            whole[item] = values
            found[metric] = checked(whole, metric)
    except Damaged:
        raise
    except Exception as error:  # what libraries say of a damaged file is of many kinds
        raise Damaged(files.said(error)) from error
    return found
