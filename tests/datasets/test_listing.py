"""What lies in a folder of a user's own: links are followed, and what is left out is counted."""

import os
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from bench.datasets import _files
from bench.datasets._files import Listing
from bench.errors import DataError

AGAIN = "linked folders left out, which lead to where they lie or to what is read already"


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
    assert names(found) == ["inner/a.txt", "over/b.txt"]
    assert said(found)[-1] == f"4 {AGAIN}"


def test_a_link_never_turns_what_it_lies_in_into_a_split(tmp_path: Path) -> None:
    root, other = lay(tmp_path / "mine", "a.txt"), lay(tmp_path / "other", "b.txt")
    (root / "test").symlink_to(other)
    (other / "back").symlink_to(root)
    assert [(file.name, file.split) for file in listed(root).files] == [("a.txt", ""), ("test/b.txt", "test")]


def test_folders_that_all_link_to_each_other_are_each_read_once(tmp_path: Path) -> None:
    """There are more than 60! ways through them, and a path through 41 links cannot be opened."""
    folders = [lay(tmp_path / f"{number}", "a.txt") for number in range(60)]
    for folder in folders:
        for other in folders:
            (folder / f"to {other.name}").symlink_to(other)
    assert names(listed(tmp_path)) == sorted(f"{number}/a.txt" for number in range(60))
    assert said(listed(tmp_path)) == [f"3600 {AGAIN}"]
    alone = listed(tmp_path / "0")
    assert [file.name.rpartition("/")[2] for file in alone.files] == ["a.txt"] * 60


def test_a_long_chain_of_links_is_walked_once_for_each_split(tmp_path: Path) -> None:
    """Two links from each folder to the next are 2**60 ways."""
    folders = [lay(tmp_path / "pool" / f"{number}", f"{number}.txt") for number in range(60)]
    for folder, following in pairwise(folders):
        for name in "ab":
            (folder / name).symlink_to(following)
    root = tmp_path / "mine"
    root.mkdir()
    for split in ("train", "test"):
        (root / split).symlink_to(folders[0])
    found = listed(root)
    assert sorted(file.path.name for file in found.files) == sorted(
        f"{number}.txt" for number in range(60) for _ in "ab"
    )
    assert Counter(file.split for file in found.files) == {"train": 60, "test": 60}
    assert all(file.path.read_text() for file in found.files)
    assert said(found) == [f"118 {AGAIN}"]


def test_the_place_where_a_folder_lies_names_its_group(tmp_path: Path) -> None:
    root = lay(tmp_path, "prose/a.txt")
    (root / "all").symlink_to(root / "prose")
    assert [(file.name, file.group) for file in listed(root).files] == [("prose/a.txt", "prose")]


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
    assert said(found) == ["1 other file left out: 1 no plain file (a pipe, a device)"]
    (root / "c.txt").symlink_to("b.txt")
    (root / "d.txt").symlink_to("/dev/zero")
    assert said(listed(root)) == ["3 other files left out: 3 no plain file (a pipe, a device)"]
    for name in "bcd":
        with pytest.raises(DataError, match="is neither a file nor a folder; name one that is"):
            listed(root / f"{name}.txt")


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
