"""A user's texts: files, paragraphs or lines, in splits, and what is no text counted."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import dataset, dataset_cache
from bench.dataset import SPLITS, Dataset
from bench.datasets.text_files import content, text_files
from bench.errors import DataError, PluginError


def folder(into: Path, count: int = 20, suffix: str = ".txt") -> Path:
    into.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (into / f"{number}{suffix}").write_text(f"Text {number} of {into.name}.\n\nIts second paragraph.\nIts end.\n")
    return into


def every(data: Dataset) -> list[str]:
    return [item for split in SPLITS for item in getattr(data, split)]


def test_a_file_is_an_item(tmp_path: Path) -> None:
    data = text_files(path=str(folder(tmp_path / "a")))
    assert sorted(every(data)) == sorted(
        f"Text {number} of a.\n\nIts second paragraph.\nIts end." for number in range(20)
    )
    assert [len(getattr(data, split)) for split in SPLITS] == [16, 2, 2]
    assert data.groups is None


def test_a_paragraph_is_one_and_each_counts_once(tmp_path: Path) -> None:
    found = every(text_files(path=str(folder(tmp_path / "a")), unit="paragraph"))
    assert sorted(found) == sorted(["Its second paragraph.\nIts end.", *(f"Text {n} of a." for n in range(20))])


def test_a_line_is_one_and_one_file_will_do(tmp_path: Path) -> None:
    file = tmp_path / "poem"
    file.write_bytes(
        "\ufeff".encode() + b"\r\n".join(b"  line %d " % number for number in range(30)) + b"\r\n\r\n \r\n"
    )
    data = text_files(path=str(file), unit="line")
    assert sorted(every(data)) == sorted(f"  line {number}" for number in range(30))


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\x85", "\f", "\v", "\x1c", "\x1d", "\x1e"])
def test_lines_end_at_newlines_only(character: str, tmp_path: Path) -> None:
    lines = [f"the first half {number}{character}and the second half {number}" for number in range(40)]
    for number, end in enumerate(("\n", "\r\n", "\r")):
        (tmp_path / f"{number}.txt").write_bytes(end.join(lines).encode())
        found = every(text_files(path=str(tmp_path / f"{number}.txt"), unit="line"))
        assert sorted(found) == sorted(lines)


def test_what_is_inside_a_text_stays(tmp_path: Path) -> None:
    texts = [f"    indented {n}\n\n\u3000two\u2028three" for n in range(20)]
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.txt").write_text(f"\n\n{text} \n\n")
    assert sorted(every(text_files(path=str(tmp_path)))) == sorted(texts)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8"])
def test_marked_and_packed_files_are_read(encoding: str, tmp_path: Path) -> None:
    lines = [f"Größe {number} 大" for number in range(30)]
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress("\n".join(lines[:15]).encode(encoding)))
    (tmp_path / "b.txt").write_bytes("\n".join(lines[15:]).encode(encoding))
    data = text_files(path=str(tmp_path), unit="line")
    assert (sorted(every(data)), data.skipped, data.remarks) == (sorted(lines), 0, [])


@pytest.mark.parametrize("encoding", ["cp1252", "auto"])
def test_an_encoding_by_name_or_guessed(encoding: str, tmp_path: Path) -> None:
    lines = [f"Die Straße {number} ist für Fußgänger gesperrt" for number in range(30)]
    for name in "ab":
        (tmp_path / f"{name}.txt").write_bytes("\n".join(lines).encode("cp1252"))
    data = text_files(path=str(tmp_path), unit="line", encoding=encoding)
    assert sorted(every(data)) == sorted(lines)
    guessed = ["2 files read as cp1252, which is a guess"] * (encoding == "auto")
    assert data.remarks == [*guessed, "30 items equal to another, which counts once"]


def test_the_same_texts_make_the_same_splits(tmp_path: Path) -> None:
    one, other = tmp_path / "one.txt", tmp_path / "other.md"
    lines = [f"line {number}" for number in range(50)]
    one.write_text("\n".join(lines))
    other.write_text("\n".join(reversed(lines)))
    made = [text_files(path=str(path), unit="line") for path in (one, other)]
    assert made[0].fingerprint == made[1].fingerprint


def test_files_and_folders_name_splits_and_groups(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("\n".join(f"train {number}" for number in range(20)))
    (tmp_path / "Dev.md").write_text("one\ntwo\ntrain 3\n")
    for group in ("prose", "verse"):
        folder(tmp_path / "train" / group, 5, ".md")
    data = text_files(path=str(tmp_path), unit="line")
    assert sorted(data.validation) == ["one", "train 3", "two"]
    assert "train 3" not in data.train
    assert data.groups is not None
    groups = dict(zip(data.train, data.groups.tolist(), strict=True))
    assert {groups[text] for text in groups if text.startswith("train")} == {-1}
    assert {text.split()[-1]: group for text, group in groups.items() if text[:4] == "Text"} == {
        "prose.": 0,
        "verse.": 1,
    }
    assert data.groups.dtype == np.int64


def test_held_out_splits_are_no_larger_than_asked(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("\n".join(f"train {number}" for number in range(200)))
    (tmp_path / "test.txt").write_text("\n".join(f"test {number}" for number in range(200)))
    data = text_files(path=str(tmp_path), unit="line", held_out=5)
    assert [len(getattr(data, split)) for split in SPLITS] == [195, 5, 5]


def test_other_encodings_are_skipped_and_counted(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "latin.txt").write_bytes("Größe".encode("latin-1"))
    (tmp_path / ".hidden.txt").write_text("not looked at")
    (tmp_path / "blank.txt").write_text("\n \n")
    data = text_files(path=str(tmp_path))
    assert data.skipped == 1
    assert len(every(data)) == 20
    assert data.left_out("mine") == [
        "1 of 22 files of mine, the first: latin.txt: not UTF-8 (byte 0xf6); say its encoding in the option, or auto"
    ]


def test_binary_files_and_unmarked_utf_16_are_no_text(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "unmarked.txt").write_bytes("no mark".encode("utf-16-le"))
    (tmp_path / "packed.txt").write_bytes(b"PK\x03\x04")
    data = text_files(path=str(tmp_path))
    assert (data.skipped, len(every(data))) == (2, 20)
    assert data.first.startswith("packed.txt: it is a zip archive, or a workbook such as .xlsx; unpack it, or save")


def test_a_reason_is_short_and_harms_no_terminal(tmp_path: Path) -> None:
    folder(tmp_path)
    name = "\x1b[31m" + "x" * 200 + "\n.txt"
    (tmp_path / name).write_bytes(b"\xff")
    first = text_files(path=str(tmp_path)).first
    assert first.isprintable()
    assert len(first) <= 240


def only_latin(path: Path) -> str:
    (path / "latin.txt").write_bytes("Größe".encode("latin-1"))
    return "all 1 items of .* are damaged .*latin.txt: not UTF-8"


def only_blank(path: Path) -> str:
    (path / "blank.txt").write_text("\n")
    return "is empty; name one that holds text data"


def no_texts(path: Path) -> str:
    (path / "a.pdf").write_text("x")
    return r"holds no files \.md, .*\.txt.gz; it holds 1 \.pdf; name a folder that does"


@pytest.mark.parametrize("lay", [only_latin, only_blank, no_texts])
def test_folders_that_will_not_do(lay: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=lay(tmp_path)) as raised:
        text_files(path=str(tmp_path))
    assert str(tmp_path) in str(raised.value)


def test_content_follows_splits_too(tmp_path: Path) -> None:
    folder(tmp_path)
    before = content(path=str(tmp_path), unit="line")
    (tmp_path / "test").mkdir()
    (tmp_path / "0.txt").rename(tmp_path / "test" / "0.txt")
    assert content(path=str(tmp_path)) != before


def test_what_was_skipped_is_remembered(tmp_path: Path) -> None:
    (folder(tmp_path) / "latin.txt").write_bytes(b"\xff")
    (tmp_path / "a.pdf").touch()
    for _ in range(2):
        data = dataset.load("text_files", {"path": str(tmp_path)})
        assert (data.skipped, data.seen) == (1, 21)
        assert data.left_out("mine")[1] == "mine: 1 other file left out: 1 .pdf"
    assert dataset_cache.left_out("mine", "text_files", {"path": str(tmp_path)}) == data.left_out("mine")


@pytest.mark.parametrize("make", [text_files, content])
def test_an_encoding_that_nobody_knows_is_refused_at_once(make: Any, tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="option 'encoding': 'utf9' is none; name one that Python knows"):
        make(path=str(tmp_path), encoding="utf9")
