"""``bench recommend``: with an answer, without one, and with bad input."""

import json
import shutil
from pathlib import Path

import pytest

from bench import __main__
from tests.plans import refused
from tests.report.runs import make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("a") / "results", beside=False)


def test_an_answer_ends_with_0(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["recommend", str(run), "--data-size", "100", "--memory", "1GB"]) == 0
    said = capsys.readouterr().out
    assert "tiny_gpt2 → python_reference, 100 examples, between the measured 50 and 200" in said
    assert said.count("Take ") == 2
    assert "Example CPU @ 2.4 GHz, 2 cores, 7.8 GiB" in said


def test_nothing_of_the_table_is_cut_at_80_columns(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    __main__.main(["recommend", str(run), "--data-size", "100"])
    lines = capsys.readouterr().out.splitlines()
    shown = " ".join(" ".join(lines).split())
    assert max(map(len, lines)) <= 80
    __main__.main(["recommend", str(run), "--data-size", "100", "--json"])
    answers = json.loads(capsys.readouterr().out)["answers"]
    names = [one["approach"] for answer in answers for one in [answer["take"], *answer["not_told_apart"]]]
    assert all(word in shown for name in names for word in name.split())
    assert shown.count("runner-up") == len(answers)


def test_the_machine_of_an_imported_run_stands_in_its_records(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "results" / "quickstart" / run.name))
    info = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps(info | {"environment": {}}))
    __main__.main(["recommend", str(copy), "--data-size", "100"])
    assert "measured on Example CPU @ 2.4 GHz, 2 cores, 7.8 GiB." in " ".join(capsys.readouterr().out.split())


def test_without_an_answer_it_ends_with_1(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["recommend", str(run), "--data-size", "100", "--model", "tiny_gpt2"]
    assert __main__.main([*asked, "--memory", "1MB", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["asked"] == {"data_size": 100, "memory": 1e6, "seconds": None, "storage": None, "optimise": "quality"}
    (answer,) = found["answers"]
    assert (answer["model"], answer["take"]) == ("tiny_gpt2", None)
    assert "fits" in answer["nothing"]
    assert answer["cells"]["data_sizes"] == [100]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "the following arguments are required: --data-size"),
        (["--data-size", "0"], "argument --data-size: '0' is not a number of one or more"),
        (
            ["--data-size", "9", "--memory", "8XB"],
            "argument --memory: '8XB' is not a size such as 8GB, 500MB or 1.5GiB",
        ),
        (["--data-size", "9", "--storage", "0"], "argument --storage: '0' is not a size"),
        (["--data-size", "9", "--seconds", "-3"], "argument --seconds: '-3' is not a time such as 90, 5min or 2h"),
        (["--data-size", "9", "--seconds", "3 weeks"], "argument --seconds: '3 weeks' is not a time such as 90, 5min"),
        (["--data-size", "9", "--optimise", "luck"], "argument --optimise: invalid choice: 'luck'"),
    ],
    ids=str,
)
def test_bad_arguments_are_one_line(
    arguments: list[str], problem: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(capsys, "recommend", run, *arguments).startswith(f"bench: {problem}")


def test_a_model_that_is_not_there_is_named(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, "recommend", run, "--data-size", "9", "--model", "tiny_gtp2")
    assert line.startswith(f"bench: {run}: no model 'tiny_gtp2'; did you mean 'tiny_gpt2'? it has tiny_gpt2, tiny_unet")


@pytest.mark.parametrize(
    ("text", "value"), [("8GB", 8e9), ("8G", 8e9), ("1.5GiB", 1.5 * 2**30), ("300", 300), ("2 mb", 2e6)]
)
def test_sizes(text: str, value: float) -> None:
    parsed = __main__.make_parser().parse_args(["recommend", "x", "--data-size", "1", "--memory", text])
    assert parsed.memory == value


@pytest.mark.parametrize(("text", "value"), [("90", 90), ("5min", 300), ("2h", 7200), ("1.5s", 1.5)])
def test_times(text: str, value: float) -> None:
    parsed = __main__.make_parser().parse_args(["recommend", "x", "--data-size", "1", "--seconds", text])
    assert parsed.seconds == value


def test_a_suite_goes_by_its_name(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(run.parent.parent.parent)
    assert __main__.main(["recommend", "quickstart", "--data-size", "50", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["results"] == str(Path("results", "quickstart", run.name))
