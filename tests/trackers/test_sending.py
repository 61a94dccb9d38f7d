"""What is said of trackers that get nothing, and how long that takes; a run is none the worse for it."""

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import __main__
from bench.results import files
from bench.trackers import sending, targets
from bench.trackers.sending import Outcome
from bench.trackers.targets import Target, TrackerError
from tests import tiny
from tests.plans import refused
from tests.trackers import servers


@pytest.fixture(autouse=True)
def found_by_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", tiny.environment()["PYTHONPATH"])


def sent(run: Path, name: str, address: str) -> Outcome:
    with sending.beside(run, [Target(name, address)]) as sendings:
        (outcome,) = sending.outcomes(sendings)
    return outcome


def test_what_is_asked_for_that_is_no_tracker(run: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    assert "--to 'mlfow': no tracker is called so; did you mean mlflow?" in refused(
        capsys, "track", run, "--to", "mlfow"
    )
    assert "there are mlflow, tensorboard, trackio, wandb" in refused(capsys, "track", run, "--to", "nothing")
    assert "Name a tracker with --to" in refused(capsys, "track", run)
    monkeypatch.setenv(targets.VARIABLE, "tensorbord=x")
    assert "TRANSFERBENCH_TRACK 'tensorbord': no" in refused(capsys, "track", run)


def test_a_package_that_is_missing_is_named_with_its_extra(
    run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])  # where a folder of that name is no package
    (tmp_path / "wandb").mkdir()
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    assert refused(capsys, "track", run, "--to", "wandb").endswith(
        "--to wandb: wandb is not installed; pip install 'transferbench[wandb]'"
    )


def test_addresses_that_are_none(run: Path, tmp_path: Path, capsys: Any) -> None:
    servers.needed("mlflow", "tensorboard")
    assert "at which server? Set MLFLOW_TRACKING_URI" in refused(capsys, "track", run, "--to", "mlflow")
    for address in ("http://", "http://host:port", "http://host:99999"):
        assert "no address of a server" in refused(capsys, "track", run, "--to", f"mlflow={address}")
    said = refused(capsys, "track", run, "--to", "tensorboard=https://me:hunter2@host")
    assert "tensorboard gets a folder" in said
    assert "hunter2" not in said
    (tmp_path / "file").touch()
    assert "a file stands" in refused(capsys, "track", run, "--to", f"tensorboard={tmp_path}/file/")
    assert "holds no run.json" in refused(capsys, "track", tmp_path, "--to", f"tensorboard={tmp_path}/logs")


def test_the_environment_may_say_it(monkeypatch: pytest.MonkeyPatch) -> None:
    servers.needed("mlflow", "tensorboard")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    monkeypatch.setenv(targets.VARIABLE, "mlflow tensorboard=/logs mlflow")
    assert targets.chosen(None) == [Target("mlflow", "http://127.0.0.1:5000"), Target("tensorboard", "/logs")]
    assert targets.chosen(["tensorboard=/elsewhere"]) == [Target("tensorboard", "/elsewhere")]
    monkeypatch.delenv(targets.VARIABLE)
    assert targets.chosen(None) == []


FAULTS = {
    "down": ("connection refused", "see that it is up"),
    "refuses": ("it refuses us (error code 401)", "set MLFLOW_TRACKING_USERNAME"),
    "is none": ("no MLflow server answers there", "see that the address is right"),
    "hangs": ("no answer in time", "see that it is up"),
}


@pytest.fixture
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "down":
        yield f"http://127.0.0.1:{servers.free_port()}"
    elif request.param == "hangs":
        with servers.hanging() as found:
            yield found
    else:
        with servers.answering(401 if request.param == "refuses" else 404) as found:
            yield found


@pytest.mark.parametrize(("address", "kind"), [(kind, kind) for kind in FAULTS], indirect=["address"])
def test_a_server_that_takes_nothing(
    run: Path, address: str, kind: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    servers.needed("mlflow")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter2hunter2")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
    before, began = tiny.states(run), time.monotonic()
    assert __main__.main(["track", str(run), "--to", f"mlflow={address}"]) == 1
    assert time.monotonic() - began < 60
    out, err = capsys.readouterr()
    fault, remedy = FAULTS[kind]
    assert out == ""
    assert err.startswith(f"bench: mlflow at {address}: 21 of 21 cells not sent ({fault}); {remedy}")
    assert err.endswith(f"then: bench track {run} --to mlflow={address}\n")
    assert err.count("\n") == 1
    assert tiny.states(run) == before


def test_a_password_in_an_address_is_said_nowhere(run: Path, capsys: Any) -> None:
    servers.needed("mlflow")
    address = f"http://me:hunter2@127.0.0.1:{servers.free_port()}"
    assert __main__.main(["track", str(run), "--json", "--to", f"mlflow={address}"]) == 1
    said = "".join(capsys.readouterr())
    assert "http://***@127.0.0.1" in said
    assert "hunter2" not in said
    assert "--to mlflow\n" in said  # which is in the environment, for one who types it


def test_one_that_says_nothing_is_ended(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    servers.needed("mlflow")
    monkeypatch.setattr(sending, "SILENCE", 1.0)
    with servers.hanging() as address, sending.beside(run, [Target("mlflow", address)]) as (one,):
        outcome = one.wait()
        assert outcome.faults == [("no answer in 1 s", "see that it is up")]
        assert outcome.not_sent == outcome.cells == 21
    assert not _at_work()


def test_a_run_waits_no_longer_than_it_may(run: Path) -> None:
    servers.needed("mlflow")
    with servers.hanging() as address, sending.beside(run, [Target("mlflow", address)]) as sendings:
        began = time.monotonic()
        (outcome,) = sending.outcomes(sendings, 0.2)
        assert time.monotonic() - began < 5
        assert outcome.faults == [("there was no more time", "")]
        assert outcome.not_sent == 21
    assert not _at_work()
    assert sending.bearable(60.0) == sending.LIMIT
    assert sending.bearable(1e6) == pytest.approx(5e4)


def _at_work() -> list[str]:
    """Senders that are left."""
    found = []
    for process in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(process.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.append(process.with_name("cmdline").read_text())
        except OSError:
            continue
    return [one for one in found if "bench.trackers.sender" in one]


def test_two_do_not_send_one_run_at_a_time(run: Path, tmp_path: Path) -> None:
    servers.needed("tensorboard")
    target = Target("tensorboard", str(tmp_path / "logs"))
    with sending.beside(run, [target]), sending.beside(run, [target]) as second:
        (outcome,) = sending.outcomes(second)
        assert outcome.faults == [("another process sends this run", "wait for it")]
        assert outcome.not_sent == 21


def test_a_process_that_dies_is_told_with_its_last_words(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKED_TOKEN", "hunter2hunter2")
    (dying := tmp_path / "dying").write_text("#!/bin/sh\necho Traceback >&2\necho no hunter2hunter2 >&2\nexit 3\n")
    dying.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(dying))
    outcome = sent(run, "tensorboard", "/x")
    assert outcome.faults == [("its process ended: no ***", "")]
    assert outcome.not_sent == 21
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert sent(run, "tensorboard", "/x").faults == [("its process ended: it said nothing", "")]
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    ((fault, _),) = sent(run, "tensorboard", "/x").faults
    assert fault.startswith("no process can be started")


def test_a_folder_that_cannot_be(run: Path, capsys: Any) -> None:
    servers.needed("tensorboard")
    assert __main__.main(["track", str(run), "--to", "tensorboard=/proc/nowhere"]) == 1
    said = "21 of 21 cells not sent (/proc/nowhere: no such file or directory); name another folder, then: "
    assert said in capsys.readouterr().err


def test_a_run_of_which_nothing_has_ended(run: Path, tmp_path: Path, capsys: Any) -> None:
    servers.needed("tensorboard")
    shutil.rmtree(run / "cells")
    info = json.loads((run / "run.json").read_text())
    files.write_json(run / "run.json", info | {"finished": None, "packed": {}})
    assert __main__.main(["track", str(run), "--to", f"tensorboard={tmp_path}/logs"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"tensorboard at {tmp_path}/logs: 0 cells sent")
    assert err == ""


def test_a_run_that_is_at_work_is_not_sent(run: Path, tmp_path: Path, capsys: Any) -> None:
    from bench.running import holding

    servers.needed("tensorboard")
    with holding.alone(run):
        assert "a process works on this run" in refused(capsys, "track", run, "--to", f"tensorboard={tmp_path}/logs")


def test_a_run_says_what_its_trackers_lack_and_ends_as_without(
    finished: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At its beginning, when it can still be mended, and at its end."""
    servers.needed("mlflow", "tensorboard")
    monkeypatch.chdir(tmp_path)
    suite = tiny.copied(finished, tmp_path)
    address = f"http://127.0.0.1:{servers.free_port()}"
    arguments = ["run", str(suite), "--track", f"mlflow={address}", "--track", "tensorboard"]
    assert __main__.main(arguments) == 0
    out, err = capsys.readouterr()
    first, last = err.splitlines()
    assert first == f"bench: mlflow at {address}: connection refused; see that it is up. " + (
        "The run goes on, and asks it again when it ends"
    )
    assert last.startswith(f"bench: mlflow at {address}: 10 of 10 cells not sent (connection refused)")
    assert f"tracked  tensorboard at {tmp_path}/tensorboard: 10 cells sent; tensorboard --logdir " in out
    assert __main__.main([*arguments, "--json"]) == 0
    out, _ = capsys.readouterr()
    tracked = json.loads(out)["tracked"]
    assert tracked[f"mlflow at {address}"]["not_sent"] == 10
    assert (
        tracked[f"tensorboard at {tmp_path}/tensorboard"] | {"sent": 0, "there": 10, "not_sent": 0}
        == (tracked[f"tensorboard at {tmp_path}/tensorboard"])
    )


def test_a_run_without_trackers_says_nothing_of_them(finished: Path, tmp_path: Path, capsys: Any) -> None:
    suite = tiny.copied(finished, tmp_path)
    folders = [f"--{name}={tmp_path / name}" for name in ("results", "reports")]
    assert __main__.main(["run", str(suite), "--json", *folders]) == 0
    out, err = capsys.readouterr()
    assert "tracked" not in json.loads(out)
    assert err == ""


def test_trackers_that_cannot_be_are_told_before_anything_trains(tmp_path: Path, capsys: Any) -> None:
    suite = tiny.write(tmp_path)
    assert "no tracker is called so" in refused(capsys, "run", suite, "--track", "mlfow")
    with pytest.raises(TrackerError, match="no tracker is called so"):
        tiny.run(suite, track=["mlfow"])
    assert list(tmp_path.iterdir()) == [suite]
