"""A suite file: what is refused and in which words, and under which name a suite is found."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.errors import SuiteError
from bench.results import files
from bench.suite import declaration, loading
from tests import plans
from tests.bad_suites import LISTS, MISSING_OR_EMPTY, MISTYPED, NAMED, NO_NAMES, UNKNOWN, cases
from tests.plans import DROP, Changes, load, refused, refused_run, write


@pytest.mark.parametrize(("changes", "said"), cases(UNKNOWN, MISTYPED, MISSING_OR_EMPTY), ids=str)
def test_bad_input_is_one_line_that_says_where_what_and_what_instead(
    changes: Changes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused_run(capsys, write(tmp_path, changes)).startswith(said)


@pytest.mark.parametrize("name", NO_NAMES)
@pytest.mark.parametrize("place", range(len(cases(NAMED))))
def test_a_name_that_could_be_a_path_is_none_wherever_it_stands(
    place: int, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes, key = cases(NAMED, name=name)[place]
    assert refused_run(capsys, write(tmp_path, changes)).startswith(key)


@pytest.mark.parametrize("path", LISTS)
def test_a_list_is_neither_empty_nor_names_a_thing_twice(
    path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, entry = path.replace("/", "."), LISTS[path]
    assert refused_run(capsys, write(tmp_path, {path: []})) == f"{key}: is empty; name at least one"
    twice = refused_run(capsys, write(tmp_path, {path: [entry, entry]}))
    assert twice == f"{key}: {json.dumps(entry)} stands there twice; keep one, or give one another name"


@pytest.mark.parametrize("key", ["models", "datasets", "approaches", "data_sizes", "seeds", "metrics"])
def test_what_a_suite_must_have(key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused_run(capsys, write(tmp_path, {key: DROP}))
    assert said == f"{key}: missing; add it; see suites/quickstart.yaml"


def test_a_tuning_value_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused_run(capsys, write(tmp_path, {"tuning": {"learning_rate": [0.1, 1, 0.1]}}))
    assert said == "tuning.learning_rate: 0.1 stands there twice; keep one"


def test_a_long_value_is_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(refused_run(capsys, write(tmp_path, {"seeds": ["x" * 9999]}))) < 200


NASTY: list[Any] = [
    None,
    0,
    -3,
    1.5,
    True,
    "",
    "x",
    "a\nb",
    "\x00",
    "ü☃",
    [],
    [None],
    [[]],
    {},
    {"a": None},
    [{"a": 1, "b": 2}],
    "9" * 999,
]


@pytest.mark.parametrize("value", NASTY, ids=lambda value: repr(value)[:20])
def test_nothing_that_yaml_can_say_ends_in_a_traceback(value: object, tmp_path: Path) -> None:
    """Every value of the suite in turn is replaced: it is refused in one line, or a suite like any other."""
    for path in paths(plans.SUITE):
        with contextlib.suppress(SuiteError):
            assert load(tmp_path, {path: value}).cells


def paths(node: object, before: str = "") -> Iterator[str]:
    """Paths of every value of nested mappings and lists."""
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in entries:
        yield f"{before}{key}"
        yield from paths(value, f"{before}{key}/")


# Where a suite is found ---------------------------------------------------------------------------------------------


def test_a_suite_goes_by_its_file_s_name(tmp_path: Path) -> None:
    assert loading.load(write(tmp_path, name="my suite-2")).name == "my suite-2"


@pytest.mark.parametrize("name", [".hidden", "a;b", "a\nb", "x" * 81, "ü"])
def test_a_file_s_name_must_be_one(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, name=name)
    said = refused(capsys, "run", path, "--results", tmp_path / "results")
    assert said.endswith("is no name for a suite; use letters, digits, '_', '-'")
    assert list(tmp_path.iterdir()) == [path]


def test_a_bare_name_is_one_of_ours_or_one_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert loading.locate("quickstart") == loading.shipped() / "quickstart.yaml"
    (tmp_path / "quickstart").mkdir()  # such as a folder of results
    assert loading.locate("quickstart") == loading.shipped() / "quickstart.yaml"
    (tmp_path / "suites").mkdir()
    mine = write(tmp_path / "suites", name="quickstart")
    assert loading.locate("quickstart").absolute() == mine


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("quikstart", "quikstart: no suite of this name; did you mean 'quickstart'?"),
        ("zzz", "zzz: no suite of this name; name a YAML file or one of: "),
        ("zzz.yaml", "zzz.yaml: no such file; check the path"),
        ("../zzz", "../zzz: no such file; check the path"),
        ("folder", "folder: is a folder; name a YAML file in it"),
        ("folder/", "folder: is a folder; name a YAML file in it"),
        ("", ".: is a folder; name a YAML file in it"),
        ("x" * 5000, f"{'x' * 449}…{'x' * 150}: cannot be read (File name too long)"),
    ],
    ids=lambda text: text[:20],
)
def test_a_suite_that_is_not_there(
    name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    assert refused(capsys, "plan", name).startswith(f"bench: {said}")
    assert refused(capsys, "run", name).startswith(f"bench: {said}")
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]


# What we ship -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", loading.available(), ids=lambda path: path.stem)
def test_every_shipped_suite_loads_and_says_what_it_is_for(path: Path) -> None:
    loaded = loading.load(path)
    assert loaded.cells
    assert loaded.file.description
    assert set(loaded.primary()) == {cell.model.family for cell in loaded.cells}
    assert declaration.SuiteFile.model_validate(files.plain(loaded.file.model_dump())) == loaded.file


def test_the_promised_suites_are_shipped() -> None:
    assert {path.stem for path in loading.available()} >= {"quickstart", "text_small", "images_small", "gpu_embedded"}


def test_the_data_curve_is_what_it_says() -> None:
    """Text and images, eight approaches beside the controls, six data sizes, five seeds; all of it applies."""
    cells = loading.load("data_curve").cells
    trained = [cell for cell in cells if cell.data_size and not cell.control]
    assert {cell.modality for cell in cells} == {"text", "image"}
    assert {
        cell.model_name: len({c.approach for c in trained if c.model_name == cell.model_name}) for cell in trained
    } == {
        "docstring_gpt2": 8,
        "glyph_vae": 8,
    }
    assert len({cell.data_size for cell in trained}) == 6
    assert {cell.seed for cell in trained} == set(range(5))
    assert len(trained) == 2 * 8 * 6 * 5
    assert not any(cell.reason for cell in cells)
