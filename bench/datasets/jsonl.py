"""A user's own records, one JSON object on each line."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

from bench.dataset import Dataset
from bench.datasets import _decoding, _files, _table
from bench.options import Count

MODALITY = "{modality}"

SUFFIXES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
"""Of its files in a folder."""


def jsonl(
    *,
    path: str,
    columns: list[str],
    modality: Literal["text", "text_pair"] = "text",
    encoding: str = "utf-8",
    held_out: Count = 1000,
) -> Dataset:
    """Texts, or pairs of texts, in the entries of JSON objects, one on each line of a .jsonl file.

    Files and folders named train, validation (valid, val, dev) and test are the splits; where one of the last two is
    missing, a tenth of the distinct rows is, chosen by their content. What gzip packed (.jsonl.gz) is unpacked. Rows
    that hold no text, or two of them, in one of the columns are skipped and counted.

    Args:
        path: of a file, or of a folder of such files; relative to the current folder, ``~`` is your home.
        columns: the one that holds the text; of pairs, that of the source and that of the target.
            ``a.b`` is the entry b of what a holds.
        modality: text or text_pair.
        encoding: of files without a byte order mark, as Python names it (cp1252, shift_jis); auto guesses each file's.
        held_out: rows of the validation and of the test split, at most.
    """
    _decoding.check("jsonl", encoding)
    rows = partial(_rows, encoding=encoding)
    return _table.dataset(
        "jsonl", path, SUFFIXES, rows, columns=columns, modality=modality, held_out=held_out, encoding=encoding
    )


def content(*, path: str, columns: list[str], modality: str = "text", encoding: str = "utf-8", **_: object) -> str:
    """Hash of the table's files."""
    _decoding.check("jsonl", encoding)
    return _table.content("jsonl", path, SUFFIXES, columns, modality)


def _rows(path: Path, _: list[str], *, encoding: str) -> Iterator[_table.Row]:
    with _decoding.opened(path, encoding) as file:
        yield from _decoding.remarks(file, encoding)
        for line in file:
            if not line.strip():
                continue
            if "\0" in line:
                yield _files.Damaged(_decoding.flaw(line))
                continue
            try:
                row = json.loads(line, object_pairs_hook=_table.once)
            except (ValueError, RecursionError) as error:
                yield _files.Damaged(_files.one_line(error))
                continue
            yield row if isinstance(row, dict) else _files.Damaged("no JSON object")
