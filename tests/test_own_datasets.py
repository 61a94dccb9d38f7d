"""A user's own files in a suite: several of one kind under names of their own, in a modality that an option says."""

from pathlib import Path
from typing import Any

import pytest

from bench import report, results, suite
from bench.cell import Cell
from bench.errors import BenchError
from tests import tiny


def texts(folder: Path, name: str = "texts.csv", word: str = "word") -> str:
    (folder / name).write_text("text,other\n" + "".join(f"{word} {n},Wort {n}\n" for n in range(20)))
    return str(folder / name)


def own(path: str, name: str = "mine", **options: Any) -> dict[str, Any]:
    return {"name": name, "dataset": "csv", "options": {"path": path, "columns": ["text"]} | options}


def cells(folder: Path, *datasets: Any, **changes: Any) -> list[Cell]:
    return suite.load(tiny.write(folder, datasets=list(datasets), **changes)).cells


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
        (
            {"options": {"path": "no/such.csv", "columns": ["text"]}},
            "dataset csv: option 'path': 'no/such.csv' is not there",
        ),
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


def test_what_was_damaged_is_counted_in_the_results_and_the_report(tmp_path: Path) -> None:
    path = texts(tmp_path)
    with Path(path).open("a") as file:
        file.write(",no text\n,nor here\n")
    written = tiny.write(tmp_path, datasets=[own(path)], approaches=["zero_shot"])
    folder = tiny.run(written, workers=1)
    found = tiny.records(folder).values()
    assert {record["happened"]["status"] for record in found} == {"ok"}
    assert all(record["environment"]["damaged_items"] == {"mine": 2} for record in found)
    page = report.build(folder, tmp_path / "reports").read_text()
    assert set(results.read_table(folder)["damaged"]) == {2}
    assert "Damaged items left out" in page
    assert "2 of mine" in page
