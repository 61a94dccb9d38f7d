"""A user's own texts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from bench.dataset import Dataset
from bench.datasets import _decoding, _files, _text
from bench.options import Count

MODALITY = "text"

SUFFIXES = (".txt", ".md", ".txt.gz", ".md.gz")
"""Of the files that are taken for texts in a folder."""


def text_files(
    *,
    path: str,
    unit: Literal["file", "paragraph", "line"] = "file",
    encoding: str = "utf-8",
    held_out: Count = 1000,
) -> Dataset:
    r"""The texts in a file of any name, or in the .txt and .md files of a folder and its sub-folders.

    Files and folders named train, validation (valid, val, dev) and test are the splits; where one of the last two is
    missing, a tenth of the distinct texts is, chosen by their content. Other sub-folders are sub-domains. What gzip
    packed (.txt.gz) is unpacked. Lines end at \n, \r\n and \r, which become \n, and at nothing else; blank lines around
    a text and white space at its end are cut off, and blank texts left out. A file that holds anything but text in its
    encoding is skipped and counted.

    Args:
        path: of the file or folder; relative to the current folder, ``~`` is your home.
        unit: what one item is: a whole file, a paragraph (what blank lines separate), or a line.
        encoding: of files without a byte order mark, as Python names it (cp1252, shift_jis); auto guesses each file's.
        held_out: texts of the validation and of the test split, at most.
    """
    _decoding.check("text_files", encoding)

    def read(file: Path) -> Iterator[str | _files.Remark]:
        with _decoding.opened(file, encoding) as opened:
            text = opened.read()
            if flaw := _decoding.flaw(text, encoding):
                raise _files.Damaged(flaw)
            yield from _decoding.remarks(opened, encoding)
        parts = {"file": lambda: [text], "paragraph": lambda: _text.paragraphs(text), "line": lambda: text.split("\n")}
        yield from (part.strip("\n").rstrip() for part in parts[unit]() if part.strip())

    files = _files.listing("text_files", path, SUFFIXES, files_name_splits=True)
    found = _files.read_each(files, read)
    seen = len(files.files)
    return _files.dataset("text_files", "text", path, found, held_out=held_out, unit="files", seen=seen)


def content(*, path: str, encoding: str = "utf-8", **_: object) -> str:
    """Hash of the texts' files."""
    _decoding.check("text_files", encoding)
    return _files.content(_files.listing("text_files", path, SUFFIXES, files_name_splits=True))
