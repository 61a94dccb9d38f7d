"""What a run refuses: one line, exit code 2, and nothing half-written."""

import json
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock

from bench import __main__, plugins
from bench.errors import ResultsError
from bench.running import holding, runner
from bench.running.ledger import Ledger
from bench.suite import loading
from tests import tiny


def test_two_processes_do_not_work_on_one_run(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tiny.copied(finished, tmp_path)
    folder = tiny.latest(path)
    with FileLock(folder / ".lock"):
        for _ in range(2):  # the first attempt does not open the way for a second
            code = __main__.main(["run", str(path), "--results", str(tmp_path / "results")])
            said = capsys.readouterr().err
            assert code == 2
            assert said.startswith(f"bench: {folder}: another process works on this run; wait for it, or start one")
            assert said.count("\n") == 1
    assert __main__.main(["run", str(path), "--results", str(tmp_path / "results"), "--reports", str(tmp_path)]) == 0


def test_a_refused_run_takes_nothing_away_that_is_not_its_own(tmp_path: Path) -> None:
    loaded = loading.load(tiny.write(tmp_path))
    mine = tmp_path / "results" / loaded.name / "mine" / "thesis.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("years of work")
    with pytest.raises(ResultsError, match="holds something else than a run"):
        runner.start(loaded, tmp_path / "results", name="mine")
    holding.remove_empty(mine.parent)
    assert mine.read_text() == "years of work"


def test_a_results_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    path = tiny.write(tmp_path)
    (tmp_path / "results").write_text("")
    with pytest.raises(ResultsError, match="a file stands where a folder is needed"):
        tiny.run(path)


@pytest.mark.skipif(not Path("/sys").is_dir(), reason="no folder that nobody may write")
def test_a_results_folder_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"not writable; name another folder with --results"):
        runner.start(loading.load(tiny.write(tmp_path)), Path("/sys/results"))


def test_a_disk_that_fills_up_ends_the_run_with_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tiny.write(tmp_path)
    disk = tmp_path / "results"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("may not mount a file system here")
    try:
        assert __main__.main(["run", str(path), "--results", str(disk)]) == 2
        assert not [file for file in disk.rglob(".*") if file.is_file()]
        assert all(json.loads(file.read_text()) for file in disk.rglob("*.json"))
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
    said = capsys.readouterr().err
    assert "the disk is full; free some space and run the same command again" in said
    assert said.count("\n") == 1


def test_data_that_changed_are_refused_unless_all_cells_of_them_are_trained_anew(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run holds no two states of a dataset; where a change of ours outdates all of its cells, there is but one."""
    path = tiny.copied(finished, tmp_path)
    folder = tiny.latest(path)
    about = json.loads((folder / "run.json").read_text())
    about["environment"]["datasets"] = dict.fromkeys(about["environment"]["datasets"], "another")
    (folder / "run.json").write_text(json.dumps(about))
    monkeypatch.setitem(plugins.find("approaches", "full_finetuning").constants, "GENERATION", 7)
    with pytest.raises(ResultsError, match=r"python_reference changed since; start another run with --new"):
        tiny.run(path)
    monkeypatch.setitem(plugins.find("datasets", "python_reference").constants, "GENERATION", 7)
    loaded = loading.load(path)
    assert {cell.id for cell in Ledger(loaded, folder, retry=False).missing()} == {cell.id for cell in loaded.cells}
    tiny.run(path)
    assert "another" not in json.loads((folder / "run.json").read_text())["environment"]["datasets"].values()
