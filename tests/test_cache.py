"""What is costly is made once, whole or not at all, by whichever process asks first."""

import errno
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import cache
from bench.errors import ResultsError
from tests.tiny import environment

KEY = {"recipe": {"steps": 3, "name": "ü"}, "seed": 0}

BUILD = """
import os, sys, time
from pathlib import Path
from bench import cache

def build(into):
    with open(sys.argv[1], "a") as log:
        log.write("built\\n")
    time.sleep(0.2)
    (into / "content").write_text("whole")

print((cache.folder("things", {"a": 1}, build) / "content").read_text())
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRANSFERBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write(into: Path) -> None:
    (into / "content").write_text("whole")


def never(into: Path) -> None:
    raise AssertionError("is there already")


def test_the_hash_is_of_content_and_the_same_on_every_machine() -> None:
    assert cache.content_hash(KEY) == "1386c382e57f075f"
    assert cache.content_hash(dict(reversed(KEY.items()))) == cache.content_hash(KEY)
    assert cache.content_hash({"a": (1, 2)}) == cache.content_hash({"a": [1, 2]})
    assert cache.content_hash({"a": [2, 1]}) != cache.content_hash({"a": [1, 2]})
    assert cache.content_hash(1) != cache.content_hash("1")
    with pytest.raises(ValueError, match="not JSON compliant"):
        cache.content_hash(math.nan)


def test_made_once_and_found_afterwards(own_cache: Path) -> None:
    assert cache.lookup("things", KEY) is None
    made = cache.folder("things", KEY, write)
    assert made == own_cache / "things" / cache.content_hash(KEY)
    assert cache.folder("things", KEY, never) == made == cache.lookup("things", KEY)
    assert json.loads((made / "key.json").read_text()) == KEY
    assert cache.lookup("others", KEY) is None


def test_what_fails_leaves_nothing_and_may_be_tried_again(own_cache: Path) -> None:
    def fail(into: Path) -> None:
        write(into)
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        cache.folder("things", KEY, fail)
    assert cache.lookup("things", KEY) is None
    assert [path for path in (own_cache / "things").iterdir() if path.is_dir()] == []
    assert (cache.folder("things", KEY, write) / "content").read_text() == "whole"


def test_what_a_killed_process_left_is_taken_away(own_cache: Path) -> None:
    left = own_cache / "things" / f".{cache.content_hash(KEY)}-abcdef"
    left.mkdir(parents=True)
    write(left)
    cache.folder("things", KEY, write)
    assert not left.exists()


def spoil(file: Path) -> None:
    """Other bytes, as many of them, and the time at which it was written: what a bad disk does."""
    content, times = file.read_bytes(), file.stat()
    file.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda entry: spoil(entry / "content"), "content is not what was written"),
        (lambda entry: spoil(entry / "key.json"), "key.json is not what was written"),
        (lambda entry: (entry / "content").write_text("whol"), "content is not what was written"),
        (lambda entry: (entry / "content").unlink(), "content is gone"),
        (lambda entry: (entry / "checksums.json").write_text("{"), "cannot be read"),
        (lambda entry: (entry / "checksums.json").write_text("[3]"), "cannot be read"),
    ],
)
def test_what_was_damaged_is_made_anew_and_said(
    harm: Callable[[Path], object],
    said: str,
    own_cache: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = cache.folder("things", KEY, write)
    harm(made)
    monkeypatch.setattr(cache, "_seen", {})  # as in the next process
    assert cache.lookup("things", KEY) is None
    assert cache.folder("things", KEY, write) == made == cache.lookup("things", KEY)
    assert (made / "content").read_text() == "whole"
    line = capsys.readouterr().err
    assert line.startswith(f"bench: cache folder {made}: damaged ({said}")
    assert line.endswith("; it is made anew\n")
    assert [path.name for path in made.parent.iterdir() if path.is_dir()] == [made.name]


def test_a_file_that_changes_is_seen_in_the_same_process_and_a_large_entry_by_its_size(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = cache.folder("things", KEY, write)
    assert cache.damage(made) == ""
    (made / "content").write_text("holes")
    assert cache.damage(made) == "content is not what was written"
    monkeypatch.setattr(cache, "_READ", 0)
    assert cache.damage(made) == ""
    (made / "content").write_text("hole")
    assert cache.damage(made) == "content is not what was written"


def test_an_entry_of_an_earlier_version_is_used_as_it_is(own_cache: Path) -> None:
    made = cache.folder("things", KEY, write)
    (made / "checksums.json").unlink()
    assert cache.folder("things", KEY, never) == made


def test_several_processes_at_once_make_it_once(tmp_path: Path, own_cache: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-c", BUILD, str(log)]
    processes = [subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate()[0] for process in processes] == ["whole\n"] * 3
    assert log.read_text() == "built\n"


def test_a_file_where_the_cache_should_be(own_cache: Path) -> None:
    own_cache.touch()
    assert cache.lookup("things", KEY) is None
    with pytest.raises(ResultsError, match="not writable; set TRANSFERBENCH_CACHE to a folder that is"):
        cache.folder("things", KEY, write)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EACCES, "not writable; set TRANSFERBENCH_CACHE to a folder that is"),
        (errno.EROFS, "not writable; set TRANSFERBENCH_CACHE to a folder that is"),
        (errno.ENOSPC, "the disk is full; free some space or move TRANSFERBENCH_CACHE"),
        (errno.EDQUOT, "the disk is full; free some space or move TRANSFERBENCH_CACHE"),
    ],
)
def test_what_the_system_forbids(number: int, said: str, own_cache: Path) -> None:
    def fail(into: Path) -> None:
        write(into)
        raise OSError(number, "no", str(into))

    with pytest.raises(ResultsError, match=f"cache folder {own_cache}.*: {said}"):
        cache.folder("things", KEY, fail)
    assert cache.lookup("things", KEY) is None


def test_the_user_s_own_folder_where_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRANSFERBENCH_CACHE")
    assert cache.root().is_absolute()
    assert cache.root().name == "transferbench"
