"""A user's own texts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from bench.dataset import Dataset
from bench.datasets import _files, _text
from bench.options import Count

MODALITY = "text"

SUFFIXES = (".txt", ".md")
"""Of the files that are taken for texts in a folder."""


def text_files(*, path: str, unit: Literal["file", "paragraph", "line"] = "file", held_out: Count = 1000) -> Dataset:
    """The texts in a file of any name, or in the .txt and .md files of a folder and its sub-folders.

    Files and folders named train, validation (valid, val, dev) and test are the splits; where one of the last two is
    missing, a tenth of the distinct texts is, chosen by their content. Other sub-folders are sub-domains. Blank texts
    are left out; a file that is not UTF-8 is skipped and counted.

    Args:
        path: of the file or folder; relative to the current folder, ``~`` is your home.
        unit: what one item is: a whole file, a paragraph (what blank lines separate), or a line.
        held_out: texts of the validation and of the test split, at most.
    """

    def read(file: Path) -> Iterator[str]:
        try:
            text = file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise _files.Damaged(f"not UTF-8 ({_files.one_line(error)})") from error
        parts = {"file": lambda: [text.strip()], "paragraph": lambda: _text.paragraphs(text), "line": text.splitlines}
        yield from (part.rstrip() for part in parts[unit]() if part.strip())

    files = _files.listing("text_files", path, SUFFIXES, files_name_splits=True)
    found = _files.read_each(files, read)
    return _files.dataset("text_files", "text", path, found, held_out=held_out)


def content(*, path: str, **_: object) -> str:
    """Hash of the texts' files."""
    return _files.content(_files.listing("text_files", path, SUFFIXES, files_name_splits=True))
