"""A user's own files in a suite: several of one kind under names of their own, in a modality that an option says."""

import html
import json
from pathlib import Path
from typing import Any

import pytest

from bench import __main__, report
from bench.errors import BenchError
from bench.report import circumstances
from bench.results import tidy
from bench.running import runner
from bench.suite import loading
from bench.suite.cell import Cell
from tests import tiny


def texts(folder: Path, name: str = "texts.csv", word: str = "word") -> str:
    (folder / name).write_text("text,other\n" + "".join(f"{word} {n},Wort {n}\n" for n in range(20)))
    return str(folder / name)


def own(path: str, name: str = "mine", **options: Any) -> dict[str, Any]:
    return {"name": name, "dataset": "csv", "options": {"path": path, "columns": ["text"]} | options}


def cells(folder: Path, *datasets: Any, **changes: Any) -> list[Cell]:
    return loading.load(tiny.write(folder, datasets=list(datasets), **changes)).cells


def refused(folder: Path, *datasets: Any, **changes: Any) -> str:
    with pytest.raises(BenchError) as raised:
        cells(folder, *datasets, **changes)
    assert "\n" not in str(raised.value)
    return str(raised.value).removeprefix(f"{folder / 'tiny.yaml'}: ")


def test_several_of_one_kind_have_names_of_their_own(tmp_path: Path) -> None:
    one, other = own(texts(tmp_path)), own(texts(tmp_path, "b.csv"), "theirs")
    found = cells(tmp_path, one, other)
    assert list(dict.fromkeys((cell.target.name, cell.target.plugin) for cell in found)) == [
        ("mine", "csv"),
        ("theirs", "csv"),
    ]
    assert {cell.asked("run")["target"] for cell in found} == {"mine", "theirs"}
    assert {cell.id.partition("-")[0] for cell in found} == {"mine", "theirs"}
    assert len({cell.key for cell in found}) == len(found)


def test_a_key_follows_what_the_files_hold_and_not_their_name_in_the_suite(tmp_path: Path) -> None:
    path = texts(tmp_path)
    before = [cell.key for cell in cells(tmp_path, own(path))]
    assert [cell.key for cell in cells(tmp_path, own(path, "another name"))] == before
    texts(tmp_path, word="other")
    assert not set(before) & {cell.key for cell in cells(tmp_path, own(path))}


def test_what_is_made_here_has_the_key_it_always_had(tmp_path: Path) -> None:
    found = cells(tmp_path, "python_reference")[0]
    assert found.target.content == ""
    renamed = cells(tmp_path, {"name": "prose", "dataset": "python_reference"})[0]
    assert renamed.key == found.key


def test_a_recipe_learns_from_a_user_s_files_too(tmp_path: Path) -> None:
    path = texts(tmp_path)

    def keys() -> set[str]:
        model = dict(tiny.SUITE["models"]["tiny"])
        model["recipe"] = model["recipe"] | {"source": own(path)}
        found = cells(tmp_path, "python_reference", models={"tiny": model})
        assert {cell.asked("run")["source"] for cell in found} == {"mine"}
        return {cell.key for cell in found}

    before = keys()
    texts(tmp_path, word="other")
    assert not before & keys()


def test_an_option_says_the_modality(tmp_path: Path) -> None:
    pairs = own(texts(tmp_path), columns=["text", "other"], modality="text_pair")
    said = refused(tmp_path, pairs)
    assert said == "models.tiny: no dataset of the suite is text; add one to datasets; see `bench list datasets`"
    said = refused(tmp_path, pairs, "python_reference")
    problem = "datasets.mine: it is text_pair, and no model of the suite meets it"
    assert said == f"{problem}; take it out, or add a model for it"


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"options": {"path": "x"}}, "datasets.mine: dataset csv: option 'columns' is missing; give it"),
        (
            {"options": {"path": "x", "columns": ["a"], "modality": "image"}},
            "datasets.mine: dataset csv: option 'modality'",
        ),
        (
            {"name": "glyphs"},
            "datasets.glyphs: 'glyphs' is the name of a dataset, and this is 'csv'; give it another name",
        ),
        ({"dataset": "cvs"}, "datasets: unknown dataset 'cvs'; did you mean 'csv'?"),
        ({"content": "x"}, "datasets.0.content: unknown key"),
    ],
    ids=str,
)
def test_what_will_not_do_is_one_line(changes: dict[str, Any], wanted: str, tmp_path: Path) -> None:
    assert refused(tmp_path, own(texts(tmp_path)) | changes).startswith(wanted)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"columns": ["text", "other"]}, "['text', 'other'] will not do; text takes 1: [text]"),
        ({"encoding": "utf9"}, "option 'encoding': 'utf9' is none; name one that Python knows"),
    ],
    ids=str,
)
def test_options_that_no_file_would_do_for_are_refused(options: dict[str, Any], wanted: str, tmp_path: Path) -> None:
    assert wanted in refused(tmp_path, own(texts(tmp_path), **options))


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"path": "no/such.csv"}, "option 'path': 'no/such.csv' is not there (looked for "),
        ({"columns": ["txt"]}, "texts.csv has no column 'txt'; name one of: other, text"),
        ({"delimiter": ";"}, 'has no column \'text\'; its header is one column with "," in it: say delimiter: ","'),
    ],
    ids=str,
)
def test_what_files_tell_is_told_before_anything_runs_beside_other_faults(
    options: dict[str, Any], wanted: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a target, of what a recipe learns from, and of another model: a line for each."""
    mine = own(**{"path": texts(tmp_path)} | options)
    model = dict(tiny.SUITE["models"]["tiny"])
    learns = model | {"recipe": model["recipe"] | {"source": mine}}
    models = {"tiny": model, "learns": learns, "nowhere": {"family": "causal_lm", "checkpoint": "./nowhere"}}
    path = tiny.write(tmp_path, models=models, datasets=["python_reference", mine])
    assert __main__.main(["plan", str(path)]) == 2
    said = capsys.readouterr()
    lines = [line.removeprefix(f"bench: {path}: ") for line in said.err.splitlines()]
    keys = ["datasets.mine", "models.learns.recipe.source", "models.nowhere.checkpoint"]
    assert [line.partition(": ")[0] for line in lines] == keys
    assert wanted in lines[0]
    assert wanted in lines[1]
    assert lines[2].endswith("no folder './nowhere'; name a folder or a hub id such as openai-community/gpt2")
    assert not said.out
    assert __main__.main(["plan", str(path), "--json"]) == 2
    assert len(json.loads(capsys.readouterr().out)["faults"]) == 3
    assert __main__.main(["fetch", str(path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2, "the dataset once, and the model"


def test_files_that_are_not_there_have_a_key_of_their_own_until_they_are(tmp_path: Path) -> None:
    missing = {cell.key for cell in cells(tmp_path, own(str(tmp_path / "texts.csv")))}
    assert {cell.key for cell in cells(tmp_path, own(str(tmp_path / "texts.csv")))} == missing
    assert not missing & {cell.key for cell in cells(tmp_path, own(str(tmp_path / "other.csv")))}
    assert not missing & {cell.key for cell in cells(tmp_path, own(texts(tmp_path)))}


def test_a_file_that_may_not_be_read_is_a_fault_of_its_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any) -> str:
        raise PermissionError(13, "Permission denied", "texts.csv")

    monkeypatch.setattr("bench.dataset_cache.content", forbidden)
    (fault,) = {cell.target.fault for cell in cells(tmp_path, own(texts(tmp_path)))}
    wanted = "dataset csv: cannot be read ([Errno 13] Permission denied: 'texts.csv'); see that you may read it"
    assert fault == wanted


@pytest.mark.parametrize("key", ["content", "fault"])
def test_what_only_files_tell_is_nothing_to_write(key: str, tmp_path: Path) -> None:
    model = dict(tiny.SUITE["models"]["tiny"])
    model["recipe"] = model["recipe"] | {"source": {"name": "python_reference", key: "x"}}
    said = refused(tmp_path, "python_reference", models={"tiny": model})
    assert said == f"models.tiny.recipe.source.{key}: unknown key; take it out"


def test_what_was_damaged_is_counted_in_the_results_and_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    path = texts(tmp_path / "mine")
    (tmp_path / "mine" / "notes.pdf").touch()
    with Path(path).open("a") as file:
        file.write(",no text\n,nor here\n")
    path = str(tmp_path / "mine")
    written = tiny.write(tmp_path, datasets=[own(path)], approaches=["zero_shot"])
    folder = tiny.run(written, workers=1)
    found = tiny.records(folder).values()
    assert {record["happened"]["status"] for record in found} == {"ok"}
    assert all(record["environment"]["damaged_items"] == {"mine": 2} for record in found)
    told = ["2 of 22 rows of mine, the first: row 21: column 'text' is blank", "mine: 1 other file left out: 1 .pdf"]
    assert all(record["environment"]["left_out"] == told for record in found)
    page = html.unescape(report.build(folder, tmp_path / "reports").page.read_text())
    assert set(tidy.read(folder)["damaged"]) == {2}
    assert "Input left out or changed" in page
    assert all(line in page for line in told)
    for command in (["run"], ["plan"]):  # a run that is there already says it again, and a plan before
        capsys.readouterr()
        where = ["--results", str(folder.parent.parent)]
        __main__.main(
            [*command, str(written), *where, *(["--reports", str(tmp_path / "r")] if command == ["run"] else [])]
        )
        said = capsys.readouterr().out
        assert all(line in " ".join(said.split()) for line in (f"left out or changed: {line}" for line in told)), said
    __main__.main(["plan", str(written), *where, "--json"])
    assert json.loads(capsys.readouterr().out)["left_out"] == told


def test_a_run_says_it_when_it_reads_the_data(tmp_path: Path) -> None:
    written = tiny.write(tmp_path, datasets=[own(texts(tmp_path))], approaches=["zero_shot"])
    with (tmp_path / "texts.csv").open("a") as file:
        file.write(",no text\n")

    class Told(tiny.Silent):
        def __init__(self) -> None:
            self.said: dict[str, str] = {}

        def finished(self, name: str, status: str, reason: str, seconds: float) -> None:
            self.said[name] = f"{status}: {reason}"

    shown = Told()
    runner.run(checked := loading.load(written), runner.start(checked, tmp_path / "results"), shown, workers=1)
    wanted = "ok: 1 of 21 rows of mine, the first: row 21: column 'text' is blank"
    assert shown.said["dataset mine"] == wanted


def test_records_of_earlier_versions_say_how_many(tmp_path: Path) -> None:
    places: list[dict[str, Any]] = [{"damaged_items": {"mine": 2}}, {"left_out": ["2 of 9 rows of mine"]}, {}]
    assert circumstances.left_out([{"environment": place} for place in places]) == ["2 of mine", "2 of 9 rows of mine"]
