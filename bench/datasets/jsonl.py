"""A user's own records, one JSON object on each line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from bench.dataset import Dataset
from bench.datasets import _files, _table
from bench.options import Count

MODALITY = "{modality}"

SUFFIXES = (".jsonl", ".ndjson")
"""Of its files in a folder."""


def jsonl(
    *, path: str, columns: list[str], modality: Literal["text", "text_pair"] = "text", held_out: Count = 1000
) -> Dataset:
    """Texts, or pairs of texts, in the entries of JSON objects, one on each line of a .jsonl file.

    Files and folders named train, validation (valid, val, dev) and test are the splits; where one of the last two is
    missing, a tenth of the distinct rows is, chosen by their content. Rows that hold no text in one of the columns are
    skipped and counted.

    Args:
        path: of a file, or of a folder of such files; relative to the current folder, ``~`` is your home.
        columns: the one that holds the text; of pairs, that of the source and that of the target.
            ``a.b`` is the entry b of what a holds.
        modality: text or text_pair.
        held_out: rows of the validation and of the test split, at most.
    """
    return _table.dataset("jsonl", path, SUFFIXES, _rows, columns=columns, modality=modality, held_out=held_out)


def content(*, path: str, **_: object) -> str:
    """Hash of the table's files."""
    return _files.content(_table.files("jsonl", path, SUFFIXES))


def _rows(path: Path, _: list[str]) -> Iterator[_table.Row]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        for line in file:
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield _files.Damaged(_files.one_line(error))
                continue
            yield row if isinstance(row, dict) else _files.Damaged("no JSON object")
