"""What lies in a folder of a user's own: links are followed, and what is left out is counted."""

import os
from pathlib import Path

import pytest

from bench.datasets import _files
from bench.datasets._files import Listing
from bench.errors import DataError


def lay(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def listed(root: Path, *suffixes: str) -> Listing:
    return _files.listing("mine", str(root), suffixes or (".txt", ".csv.gz"), files_name_splits=True)


def names(found: Listing) -> list[str]:
    return [file.name for file in found.files]


def said(found: Listing) -> list[str]:
    return [remark.said for remark in found.remarks]


def test_linked_folders_are_read_wherever_they_lie(tmp_path: Path) -> None:
    root = lay(tmp_path / "mine", "a.txt")
    elsewhere = lay(tmp_path / "elsewhere", "b.txt", "deep/c.txt")
    (root / "train").symlink_to(elsewhere)
    (root / "linked.txt").symlink_to(elsewhere / "b.txt")
    found = listed(root)
    assert names(found) == ["a.txt", "linked.txt", "train/b.txt", "train/deep/c.txt"]
    assert [(file.split, file.group) for file in found.files][2:] == [("train", ""), ("train", "deep")]
    assert said(found) == []


def test_a_folder_linked_twice_is_read_twice(tmp_path: Path) -> None:
    root, pool = lay(tmp_path / "mine", "a.txt"), lay(tmp_path / "pool", "b.txt")
    for split in ("train", "test"):
        (root / split).symlink_to(pool)
    assert [(file.name, file.split) for file in listed(root).files][1:] == [
        ("test/b.txt", "test"),
        ("train/b.txt", "train"),
    ]


def test_links_that_lead_back_are_left_out_and_counted(tmp_path: Path) -> None:
    root, other = lay(tmp_path / "mine", "inner/a.txt"), lay(tmp_path / "other", "b.txt")
    (root / "inner" / "up").symlink_to(root)
    (root / "above").symlink_to(tmp_path)
    (root / "self").symlink_to("self")
    (root / "over").symlink_to(other)
    (other / "back").symlink_to(root / "inner")
    (root / "inner" / "over").symlink_to(other)  # inner → other → inner
    found = listed(root)
    assert names(found) == ["inner/a.txt", "inner/over/b.txt", "over/b.txt", "over/back/a.txt"]
    assert said(found)[-1] == "5 linked folders left out, which lead back to where they lie"


def test_other_files_are_counted_by_their_endings(tmp_path: Path) -> None:
    root = lay(tmp_path, "a.txt", "b.PDF", "c.pdf", "deep/d.tar.gz", "README", ".hidden", ".git/e.pdf", "t.csv.gz")
    assert said(listed(root)) == ["4 other files left out: 2 .pdf, 1 without an ending, 1 .tar.gz"]
    assert said(listed(lay(tmp_path / "one", "a.txt", "b.md"))) == ["1 other file left out: 1 .md"]
    many = lay(tmp_path / "many", "a.txt", *(f"a.{letter}" for letter in "bcdefghij"))
    assert said(listed(many)) == ["9 other files left out: 1 .b, 1 .c, 1 .d, 1 .e, 1 .f, 1 .g, 3 more"]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    root = lay(tmp_path, "a.txt")
    os.mkfifo(root / "b.txt")
    found = listed(root)
    assert names(found) == ["a.txt"]
    assert said(found) == ["1 other file left out: 1 no plain file"]
    with pytest.raises(DataError, match="cannot be read"):
        listed(root / "b.txt")


def test_a_link_to_nothing_is_damaged_not_left_out(tmp_path: Path) -> None:
    (lay(tmp_path, "a.txt") / "b.txt").symlink_to("nowhere")
    assert names(listed(tmp_path)) == ["a.txt", "b.txt"]


def test_a_folder_without_any_says_what_it_holds(tmp_path: Path) -> None:
    lay(tmp_path, "a.pdf", "b.pdf")
    with pytest.raises(DataError, match=r"holds no files \.csv\.gz, \.txt; it holds 2 \.pdf; name a folder that does"):
        listed(tmp_path)
    with pytest.raises(DataError, match=r"no files that can be read \(\.a, .*\.h …\); it holds") as raised:
        listed(tmp_path, *(f".{letter}" for letter in "abcdefghijklmnop"))
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize(
    ("name", "split"),
    [("test.txt", "test"), ("Test.csv.gz", "test"), ("train-00000-of-00002.csv.gz", "train"), ("test.v2.txt", "")],
)
def test_splits_are_named_before_the_ending(name: str, split: str, tmp_path: Path) -> None:
    assert [file.split for file in listed(lay(tmp_path, name)).files] == [split]


def test_what_else_lies_there_changes_no_key(tmp_path: Path) -> None:
    before = _files.content(listed(lay(tmp_path, "a.txt")))
    assert _files.content(listed(lay(tmp_path, "notes.pdf"))) == before
