"""`bench import`: from somebody's files to a page, and what it says on the way."""

import json
from pathlib import Path

import pytest

from bench import __main__
from bench.results import importing, runs
from bench.running import runner
from bench.suite import loading
from tests.results.importing.peft_files import IMAGE, TEXT, changed, put, scored
from tests.tiny import write

PEFT = "peft-method-comparison"


def bench(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = __main__.main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as PEFT's, with a name that is markup, a failed run and a broken file; the results go beside it."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "method_comparison"
    better, evil = scored(TEXT, "ia3/tiny", test_accuracy=500 / 1319), scored(TEXT, "lora/<script>alert(1)</script>")
    failed = changed(
        scored(TEXT, "boft/tiny"), train_info__status="canceled", run_info__error_msg="<b>CUDA out of memory</b>"
    )
    put(folder / "MetaMathQA" / "results", a=TEXT, b=better, c=evil, d="{")
    put(folder / "MetaMathQA" / "cancelled_results", e=failed)
    put(folder / "image-gen" / "results", f=IMAGE, g=scored(IMAGE, "ia3/painter", drift=float("nan")))
    return folder


def test_from_their_folder_to_a_page(theirs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = bench(capsys, "import", PEFT, theirs, "--run", "first")
    assert code == 1  # one file cannot be read
    assert err.startswith("bench: MetaMathQA/results/d.json: ")
    assert out.splitlines() == [
        "6 results imported: 5 ok, 1 out_of_memory",
        "missing: 1 value (drift 1)",
        f"results  {Path('results/peft_method_comparison/first')}",
        "next     bench report results/peft_method_comparison/first",
    ]
    code, out, _ = bench(capsys, "report", "results/peft_method_comparison/first")
    page = Path(out.strip()).read_text()
    assert code == 0
    assert "some-lab/tiny-1B → MetaMathQA" in page
    assert "<b>ia3/tiny</b> has the best value, 0.379 (1 seed); with a single seed nothing can be told apart" in page
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "&lt;b&gt;CUDA out of memory&lt;/b&gt;" in page
    assert "NaN in the file is no value of it" in page
    assert "MetaMathQA/results/d.json" in page
    assert "bench import peft-method-comparison method_comparison" in page
    assert str(theirs.parent) not in page
    assert "took <b>" not in page


def test_other_commands_take_it_as_a_run(theirs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench(capsys, "import", PEFT, theirs / "image-gen" / "results")
    code, out, _ = bench(capsys, "export", "results/peft_method_comparison")
    assert code == 0
    assert sum(",dino_similarity," in line for line in out.splitlines()) == 2
    assert bench(capsys, "unpack", "results/peft_method_comparison")[0] == 0
    assert bench(capsys, "report", "results/peft_method_comparison")[0] == 0
    assert bench(capsys, "list", "suites")[0] == 0


def test_for_scripts(theirs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = bench(capsys, "import", PEFT, theirs / "image-gen", "--suite", "pictures", "--json")
    said = json.loads(out)
    assert (code, said["cells"], said["missing"]) == (0, {"ok": 2}, {"drift": 1})
    assert said["results"].startswith("results/pictures/")


def test_a_table_again_under_the_same_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    table = tmp_path / "my table.csv"
    arguments = ["import", "csv", table, "--set", "model=llama", "--metric", "accuracy:higher", "--run", "mine"]
    for value in (0.5, 0.75):
        table.write_text(f"approach,target,data_size,seed,accuracy\nlora,maths,10,0,{value}\nlora,maths,10,1,1\n")
        code, out, err = bench(capsys, *arguments)
        assert (code, err) == (0, "")
    assert "results  results/imported/mine (in the place of the earlier import)" in out
    records = runs.records(tmp_path / "results" / "imported" / "mine")
    assert [record["happened"]["scores"][0]["value"] for record in records] == [0.75, 1.0]
    code, out, _ = bench(capsys, "report", "results/imported/mine")
    page = Path(out.strip()).read_text()
    assert "model of another kind, transferred to maths" in page
    assert "bench import csv &#39;my table.csv&#39; --set model=llama" in page


def test_what_has_no_size_is_said_by_the_command_and_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "it.csv").write_text("approach,data_size,accuracy\nlora,10,1\nlora,20,1\nia3,,1\n")
    code, out, _ = bench(capsys, "import", "csv", "it.csv", "--metric", "accuracy:higher", "--run", "mine")
    said = "1 result of it.csv without a data size, which others have: ia3; fill column"
    assert (code, f"left out: {said}" in out) == (0, True)
    _, out, _ = bench(capsys, "report", "results/imported/mine")
    assert said in Path(out.strip()).read_text()


def test_bad_input_is_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "it.csv").write_text("approach,accuracy\nlora,good\n")
    code, out, err = bench(capsys, "import", "csv", "it.csv", "--metric", "accuracy:higher")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("bench: it.csv: line 2: column 'accuracy': \"good\" is no accuracy; write a number")
    (tmp_path / "it.csv").write_text("approach,accuracy\nlora,1\n")
    code, _, err = bench(capsys, "import", "csv", "it.csv", "--metric", "accuracy:higher", "--run", "../../up")
    assert (code, err.count("\n")) == (2, 1)
    assert "--run '../../up': no name for a folder" in err
    assert [path.name for path in tmp_path.iterdir()] == ["it.csv"]


def test_a_suite_never_goes_on_with_an_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    suite = loading.load(write(tmp_path))
    (tmp_path / "it.csv").write_text("approach,accuracy\nlora,1\n")
    bench(capsys, "import", "csv", "it.csv", "--metric", "accuracy:higher", "--suite", suite.name)
    (there,) = (tmp_path / "results" / suite.name).iterdir()
    assert runner.start(suite, tmp_path / "results") != there
    with pytest.raises(Exception, match="holds imported results; take another name"):
        runner.start(suite, tmp_path / "results", name=there.name)


@pytest.mark.parametrize("source", importing.sources())
def test_every_source_has_help(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        __main__.main(["import", source, "--help"])
    assert end.value.code == 0
    assert f"usage: bench import {source}" in capsys.readouterr().out


def test_sources_are_files() -> None:
    assert importing.sources() == ["csv", PEFT]
