"""Values, texts and counts in a line for people; and no line that nobody could read."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import __main__
from bench.errors import NotApplicable, PluginError, ResultsError, SuiteError
from bench.running.ends import said
from bench.words import columns, counted, cut, few, more, shown
from tests.plans import Changes, refused, write


@pytest.mark.parametrize(("count", "text"), [(0, "0 cells"), (1, "1 cell"), (2, "2 cells")])
def test_one_is_not_many(count: int, text: str) -> None:
    assert counted(count, "cell") == text


def test_what_is_cut_keeps_both_ends() -> None:
    assert cut("as it is", 8) == "as it is"
    assert cut("a" * 500 + "the end", 20) == "a" * 14 + "…" + "e end"
    assert len(cut("x" * 10**6, 100)) == 100


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


ENDLESS: list[Any] = []
ENDLESS.append(ENDLESS)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (["a", 1.5, True], '["a", 1.5, true]'),
        ({"b": "ä"}, '{"b": "ä"}'),
        (Path("x"), '"x"'),
        ("x" * 10**6, '"' + "x" * 59 + "…"),
        (10**5000, "(int)"),
        (nested(5000), "[" * 60 + "…"),
        (ENDLESS, "[(list)"),
        ("\ud800\x1b[2J", '"\N{REPLACEMENT CHARACTER}\\u001b[2J"'),
        ({(1, 2): 3}, "{(dict)"),
        (list(range(10**6)), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 1…"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_is_one_short_line_whatever_it_is(value: Any, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize("kind", [PluginError, ResultsError, NotApplicable])
def test_no_error_is_longer_than_somebody_reads(kind: type[Exception]) -> None:
    error = kind(f"dataset text_files: option 'path': {'x' * 100_000!r} is not there; name a file")
    assert len(str(error)) == 1200
    assert str(error).startswith("dataset text_files: option 'path': 'xxx")
    assert str(error).endswith("xxx' is not there; name a file")
    assert len(said(RuntimeError("y" * 100_000))) == 1200


def test_nor_is_one_about_a_suite() -> None:
    error = SuiteError("suite.yaml", "k" * 9999, "p" * 9999, "r" * 9999)
    assert len(str(error)) < 1800
    assert error.key == "k" * 9999


LONG = "long" * 25_000


@pytest.mark.parametrize(
    "changes",
    [
        {"approaches": [LONG]},
        {"approaches": [f"lora + {LONG}"]},
        {"approaches": [{"lora": {LONG: 1}}]},
        {"approaches": [{"lora": {"rank": LONG}}]},
        {"approaches": [{"lora + augmentation": {LONG: {}}}]},
        {"approaches": [{"name": LONG, "approach": "lora"}]},
        {"approaches": [{"name": "lora", "approach": LONG}]},
        {"approaches": ["lora" + " + lora" * 9999]},
        {"datasets": [LONG]},
        {"datasets": [{"text_files": {"path": LONG}}]},
        {"metrics": [LONG]},
        {"metrics": [{"fidelity": {"space": LONG}}]},
        {"models/tiny/family": LONG},
        {"models/tiny/checkpoint": LONG, "models/tiny/recipe": None},
        {"models/tiny/datasets": [LONG]},
        {f"models/{LONG}": {"family": "causal_lm"}},
        {LONG: 1},
        {f"budget/{LONG}": 1},
        {"budget/decay": LONG},
        {"tuning": {LONG: [1]}},
        {"tuning": {f"{LONG}.rank": [1]}},
        {"tuning": {f"lora.{LONG}": [1]}},
        {"tuning": {"learning_rate": [LONG]}},
        {"data_quality": [{LONG: 0.5}]},
        {"seeds": [LONG]},
        {"seeds": [*range(9999), 0]},
    ],
    ids=lambda changes: next(iter(changes))[:20] + str(len(json.dumps(changes))),
)
def test_what_a_line_quotes_of_a_suite_is_cut(
    changes: Changes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(refused(capsys, "plan", write(tmp_path, changes))) < 1500


@pytest.mark.parametrize(
    "arguments", [["plan", LONG], ["report", LONG], ["list", LONG], ["run", "quickstart", "--workers", LONG]]
)
def test_nor_of_the_command_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert len(refused(capsys, *arguments)) < 2100


# Folders that cannot be ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["/proc/nothing", "{file}/below", "/dev/null/below", "n" * 300])
def test_a_folder_that_cannot_be_made_is_one_line(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    folder = folder.format(file=tmp_path / "file")
    suite = write(tmp_path)
    for arguments in (["run", suite, "--results", folder], ["report", folder]):
        line = refused(capsys, *arguments)
        assert folder in line
        assert "; name " in line
    assert __main__.main(["list", "metrics"]) == 0


def test_a_cache_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    """In processes of their own: what forks workers keeps the environment that it started in."""
    environment = os.environ | {"TRANSFERBENCH_CACHE": "/proc/nothing"}

    def bench(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "bench", *map(str, arguments)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert bench("plan", write(tmp_path)).returncode == 0
    done = bench("run", write(tmp_path), "--results", tmp_path / "results")
    assert done.returncode == 2
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("bench: "))
    assert line.startswith("bench: cache folder /proc/nothing: cannot be made (No such file or directory); set TRANSF")
    assert not (tmp_path / "results" / "suite").exists()


def test_columns_stand_in_line_whatever_script_they_are_in() -> None:
    rows = [["approach", "trials", ""], ["微调", "2", "10 seeds"], ["na\u0308ive", "", "—"], ["x", "12", ""]]
    assert list(columns(rows)) == [
        "approach  trials",
        "微调           2  10 seeds",
        f"na\u0308ive{' ' * (3 + 2 + 6 + 2 + 7)}—",
        "x             12",
    ]


def test_what_is_not_shown_is_counted_with_where_it_is() -> None:
    lines = [str(number) for number in range(5)]
    assert few(lines, 5) == lines
    assert few(lines, 3) == ["0", "1", "2", "and 2 more"]
    assert few(lines, 4, "--json")[-1] == "and 1 more, see --json"
    assert more(12_345) == "and 12\N{THIN SPACE}345 more"
