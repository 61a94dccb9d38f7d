"""The command line: what it lists, what it plans, how it ends, and a small suite from its first run to its report."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import bench
from bench import __main__, plugins
from bench.results import tidy
from bench.running import runner
from bench.suite import loading
from tests import tiny
from tests.plans import refused, write


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a command prints that succeeds."""
    assert __main__.main([str(argument) for argument in arguments]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    return output.out


def words(text: str) -> str:
    return " ".join(text.split())


# Arguments ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            ["run", "x", "--workers", "0"],
            "argument --workers: '0' is not a number of one or more; see `bench run --help`",
        ),
        (["plan", "x", "--workers", "²"], "argument --workers: '²' is not a number of one or more"),
        (["run", "x", "--workers", "1.5"], "argument --workers: '1.5' is not a number of one or more"),
        (["run"], "the following arguments are required: suite; see `bench run --help`"),
        ([], "the following arguments are required: COMMAND; see `bench --help`"),
        (["rnu"], "argument COMMAND: invalid choice: 'rnu'"),
        (["list", "aproaches"], "nothing is called 'aproaches'; did you mean 'approaches'?"),
        (["plan", "x", "--bogus"], "unrecognized arguments: --bogus"),
        (["plan", "x\ny"], "x\N{REPLACEMENT CHARACTER}y: no such file; check the path"),
        (["report", "nowhere"], "nowhere: holds no run.json; name a folder such as results/quickstart/<run>"),
    ],
    ids=str,
)
def test_bad_arguments_are_one_line(
    arguments: list[str],
    problem: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert refused(capsys, *arguments).startswith(f"bench: {problem}")
    assert list(tmp_path.iterdir()) == []


def test_a_results_folder_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path)
    (tmp_path / "file").touch()
    for place in ("file", "file/inside"):
        line = refused(capsys, "run", path, "--results", tmp_path / place)
        assert line.startswith(f"bench: {tmp_path / place}")
        assert "--results" in line

    def forbidden(folder: Path, **_: Any) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(Path, "mkdir", forbidden)  # the tests' user may be allowed everything
    line = refused(capsys, "run", path, "--results", tmp_path / "results")
    assert line.startswith(f"bench: {tmp_path / 'results'}")
    assert "not writable" in line
    assert sorted(found.name for found in tmp_path.iterdir()) == ["file", "suite.yaml"]


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_and_version(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        __main__.main([flag])
    assert end.value.code == 0
    expected = {"--version": f"transferbench {bench.__version__}\n", "--help": "usage: bench"}[flag]
    assert capsys.readouterr().out.startswith(expected)


@pytest.mark.parametrize("command", ["run", "plan", "report", "list"])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        __main__.main([command, "--help"])
    assert end.value.code == 0
    assert f"usage: bench {command}" in capsys.readouterr().out


def test_an_interrupt_is_130_and_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(error: BaseException) -> Any:
        def load(_: object) -> None:
            raise error

        return load

    for error, line in (
        (KeyboardInterrupt(), "bench: stopped\n"),
        (runner.Interrupted("stopped; 3 of 9 cells"), "bench: stopped; 3 of 9 cells\n"),
    ):
        monkeypatch.setattr(loading, "load", stop(error))
        assert __main__.main(["run", "quickstart", "--results", str(tmp_path)]) == 130
        assert capsys.readouterr().err == line


def test_a_reader_that_leaves_early_is_no_error() -> None:
    command = f"{sys.executable} -m bench list | head -n 1"
    done = subprocess.run(["bash", "-c", command], env=tiny.environment(), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("approaches")


def test_a_terminal_without_arrows(tmp_path: Path) -> None:
    variables = {**tiny.environment(), "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "bench", "plan", "quickstart"]
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "docstring_gpt2 ? python_reference" in done.stdout


@pytest.mark.parametrize("content", ["{}", "[]", '{"cells": 3}'])
def test_a_report_of_some_other_run_json(content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.json").write_text(content)
    line = refused(capsys, "report", tmp_path, "--reports", tmp_path / "reports")
    problem = "not the record of a run; name a folder such as results/quickstart/<run>"
    assert line == f"bench: {tmp_path / 'run.json'}: {problem}"
    assert not (tmp_path / "reports").exists()


# What there is ------------------------------------------------------------------------------------------------------


def test_list_shows_every_plugin_with_its_summary_and_every_approach_with_its_paper(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    for kind in plugins.KINDS:
        output = words(said(capsys, "list", kind))
        for name in plugins.names(kind):
            plugin = plugins.find(kind, name)
            assert words(f"{name} {plugin.summary} {plugin.paper}") in output
    output = words(said(capsys, "list", "suites"))
    for path in loading.available():
        assert words(f"{path.stem} {loading.load(path).file.description}") in output


def test_list_of_one_kind(capsys: pytest.CaptureFixture[str]) -> None:
    output = said(capsys, "list", "datasets")
    assert "glyphs" in output
    assert "lora" not in output


def test_list_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(said(capsys, "list", "--json"))
    assert set(found) == {*plugins.KINDS, "suites"}
    assert [entry["name"] for entry in found["approaches"]] == plugins.names("approaches")
    assert all(entry["summary"] for entries in found.values() for entry in entries)
    assert all(entry["paper"] for entry in found["approaches"])
    assert set(json.loads(said(capsys, "list", "families", "--json"))) == {"families"}


@pytest.mark.parametrize("width", ["20", "80"])
def test_a_narrow_terminal_loses_no_name(
    width: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    output = said(capsys, "list", "approaches")
    assert all(name in output for name in plugins.names("approaches"))


# What would be done -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", loading.available(), ids=lambda path: path.stem)
def test_every_shipped_suite_plans(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = said(capsys, "plan", path.stem, "--results", tmp_path)
    found = json.loads(said(capsys, "plan", path, "--results", tmp_path, "--json"))
    assert f"{len(found['cells'])} cells" in output
    assert {cell["approach"] for cell in found["cells"]} >= {"zero_shot", "from_scratch", "real_data"}
    assert list(tmp_path.iterdir()) == []


# A small suite, from a fresh folder ---------------------------------------------------------------------------------


def test_from_the_first_run_to_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reckless = {"budget": {"learning_rate": 1e30, "clip": None, "warmup": 0}, "approach": "full_finetuning"}
    approaches = ["full_finetuning", {"name": "reckless", **reckless}]
    path = tiny.write(tmp_path, metrics=["perplexity", "syntax"], approaches=approaches)
    command = [sys.executable, "-m", "bench", "run", path.name, "--workers", "2", "--json"]
    first = subprocess.run(command, cwd=tmp_path, env=tiny.environment(), capture_output=True, text=True)
    assert first.returncode == 1, first.stderr
    told = json.loads(first.stdout)  # nothing else is printed there
    assert (told["trained"], told["kept"], told["cells"]) == (6, 0, {"ok": 5, "diverged": 1})
    (unmeasured,) = told["not_measured"]
    assert re.fullmatch(r"syntax of \d approaches: \d+% of the test texts are Python; it takes 50%", unmeasured)
    assert "Traceback" not in first.stderr

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    before = tiny.states(tmp_path / "results")
    assert __main__.main(["run", path.name]) == 1
    assert tiny.states(tmp_path / "results") == before
    output = capsys.readouterr().out
    assert "0 cells trained now, 6 were there already: 5 ok, 1 diverged" in output
    assert f"not measured: {unmeasured}\nresults  {told['results']}\nreport   {told['report']}" in output
    assert f"finished already: 6 cells in {told['results']}" in said(capsys, "plan", path.name)

    tiny.write(tmp_path, metrics=["perplexity", "syntax"], approaches=["full_finetuning"])
    assert "0 cells trained now, 5 were there already: 5 ok" in said(capsys, "run", path.name)
    table = tidy.read(Path(told["results"]))
    assert set(table["approach"]) == {"zero_shot", "from_scratch", "real_data", "training_data", "full_finetuning"}

    page = Path(told["report"])
    expected = page.read_bytes()
    page.unlink()
    for folder in ("results/tiny", told["results"]):
        again = Path(said(capsys, "report", folder, "--reports", "elsewhere").strip())
        assert again.read_bytes() == expected
    assert not page.exists()


def test_the_matrix_says_which_approach_has_a_meaning_for_which_family(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(said(capsys, "list", "--matrix", "--json"))
    assert set(found) == set(plugins.names("approaches"))
    assert all(set(reasons) == set(plugins.names("families")) for reasons in found.values())
    assert [family for family, reason in found["full_finetuning"].items() if reason] == ["hosted_lm"]
    assert found["prompt_tuning"]["causal_lm"] == ""
    reason = found["prompt_tuning"]["diffusion"]
    output = words(said(capsys, "list", "--matrix"))
    assert reason.startswith("prompt_tuning needs ")
    assert "prefix_tuning, prompt_tuning need an input that learned vectors can be put before; " in output
