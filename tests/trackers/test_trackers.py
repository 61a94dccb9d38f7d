"""Each tracker has what the records say, once, however often it is sent and whatever became of it on the way."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from bench.results import files, runs
from bench.trackers import sending, telling
from bench.trackers.sending import Outcome
from bench.trackers.targets import Target
from tests import tiny
from tests.report.runs import MODELS, make_run
from tests.trackers import servers

CELL = "tiny_gpt2-python_reference-lora-0-n50-s0"
BROKEN = "tiny_gpt2-python_reference-distillation-0-n800-s0"


class Seen(Protocol):
    """A run's cells as a tracker has them."""

    target: Target

    def names(self) -> list[str]: ...

    def parameters(self, name: str) -> dict[str, Any]: ...

    def metrics(self, name: str) -> dict[str, float]: ...

    def curve(self, name: str, metric: str) -> list[tuple[int, float]]: ...

    def damage(self, name: str) -> None:
        """As if it had been sent in part."""


class InMLflow:
    def __init__(self, address: str) -> None:
        import mlflow

        self.target, self.client = Target("mlflow", address), mlflow.MlflowClient(address)

    def runs(self) -> list[Any]:
        experiment = self.client.get_experiment_by_name("quickstart")
        return list(self.client.search_runs([experiment.experiment_id], max_results=500))

    def cells(self) -> list[Any]:
        return [one for one in self.runs() if "mlflow.parentRunId" in one.data.tags]

    def of(self, name: str) -> Any:
        (found,) = [one for one in self.cells() if one.info.run_name == name]
        return found

    def names(self) -> list[str]:
        return sorted(one.info.run_name for one in self.cells())

    def parameters(self, name: str) -> dict[str, Any]:
        return dict(self.of(name).data.params)

    def metrics(self, name: str) -> dict[str, float]:
        return {key: value for key, value in self.of(name).data.metrics.items() if not key.startswith("curve/")}

    def curve(self, name: str, metric: str) -> list[tuple[int, float]]:
        points = self.client.get_metric_history(self.of(name).info.run_id, metric)
        return sorted((point.step, point.value) for point in points)

    def damage(self, name: str) -> None:
        self.client.delete_tag(self.of(name).info.run_id, "transferbench.digest")


class InTensorBoard:
    def __init__(self, folder: Path) -> None:
        self.target, self.place = Target("tensorboard", str(folder)), folder / "quickstart"

    def events(self, name: str) -> Any:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        (folder,) = self.place.glob(f"*/{name}")
        return EventAccumulator(str(folder)).Reload()

    def names(self) -> list[str]:
        return sorted(path.parent.name for path in self.place.glob("*/*/transferbench.json"))

    def parameters(self, name: str) -> dict[str, Any]:
        from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

        content = self.events(name).summary_metadata["_hparams_/session_start_info"].plugin_data.content
        found = HParamsPluginData.FromString(content).session_start_info.hparams
        return {key: getattr(value, str(value.WhichOneof("kind"))) for key, value in found.items()}

    def metrics(self, name: str) -> dict[str, float]:
        events = self.events(name)
        return {tag: events.Scalars(tag)[-1].value for tag in events.Tags()["scalars"] if "curve/" not in tag}

    def curve(self, name: str, metric: str) -> list[tuple[int, float]]:
        return [(point.step, point.value) for point in self.events(name).Scalars(metric)]

    def damage(self, name: str) -> None:
        next(self.place.glob(f"*/{name}/transferbench.json")).unlink()


class InWandB:
    def __init__(self, folder: Path) -> None:
        self.target, self.folder = Target("wandb", str(folder)), folder

    def read(self) -> dict[str, dict[str, Any]]:
        """What `wandb sync` would send."""
        from wandb.proto.wandb_internal_pb2 import Record

        found: dict[str, dict[str, Any]] = {}
        for path in sorted(self.folder.glob("wandb/offline-run-*/run-*.wandb")):
            one: dict[str, Any] = {"path": path, "config": {}, "summary": {}, "history": []}
            for data in _entries(path.read_bytes()[7:]):
                record = Record.FromString(data)
                kind = record.WhichOneof("record_type")
                if kind == "run":
                    assert record.run.display_name not in found, "sent twice"
                    found[record.run.display_name] = one
                    _take(one["config"], record.run.config.update)
                elif kind == "config":
                    _take(one["config"], record.config.update)
                elif kind == "summary":
                    _take(one["summary"], record.summary.update)
                elif kind == "history":
                    one["history"].append({})
                    _take(one["history"][-1], record.history.item)
        return found

    def names(self) -> list[str]:
        return sorted(self.read())

    def parameters(self, name: str) -> dict[str, Any]:
        return dict(self.read()[name]["config"])

    def metrics(self, name: str) -> dict[str, float]:
        return {
            key: value for key, value in self.read()[name]["summary"].items() if key[0] != "_" and "curve" not in key
        }

    def curve(self, name: str, metric: str) -> list[tuple[int, float]]:
        return [(row["_step"], row[metric]) for row in self.read()[name]["history"] if metric in row]

    def damage(self, name: str) -> None:
        (self.read()[name]["path"].parent / "transferbench.json").unlink()


def _entries(content: bytes) -> Iterator[bytes]:
    """Of a log as LevelDB writes it: in blocks of 32 KiB, with the checksum, length and kind of each part."""
    whole, at, block = b"", 0, 32768 - 7  # of the first, whose head is cut off
    while at + 7 <= len(content):
        if block < 7:
            at, block = at + block, 32768
            continue
        length, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        whole += content[at + 7 : at + 7 + length]
        at, block = at + 7 + length, block - 7 - length
        if kind in (1, 4):  # the whole of one, or its last part
            yield whole
            whole = b""


def _take(into: dict[str, Any], items: Any) -> None:
    for item in items:
        into[item.key or "/".join(item.nested_key)] = json.loads(item.value_json)


class InTrackio:
    """Asked in a process of its own: trackio keeps to the folder that it is imported with."""

    def __init__(self, folder: Path) -> None:
        self.target, self.folder = Target("trackio", str(folder)), folder

    def read(self) -> list[dict[str, Any]]:
        code = """
import json, trackio
from trackio.sqlite_storage import SQLiteStorage
said = [dict(name=run.name, config=run.config, logs=SQLiteStorage.get_logs("quickstart", run.name, run_id=run.id))
        for run in trackio.Api().runs("quickstart")]
print("said", json.dumps(said))
"""
        variables = tiny.environment() | {"TRACKIO_DIR": str(self.folder)}
        done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True)
        return list(json.loads(done.stdout.rpartition("said ")[2]))

    def of(self, name: str) -> dict[str, Any]:
        (found,) = [one for one in self.read() if one["name"] == name]
        return found

    def names(self) -> list[str]:
        return sorted(one["name"] for one in self.read())

    def parameters(self, name: str) -> dict[str, Any]:
        return dict(self.of(name)["config"])

    def metrics(self, name: str) -> dict[str, float]:
        rows = [row for row in self.of(name)["logs"] if not any(key.startswith("curve/") for key in row)]
        return {key: value for row in rows for key, value in row.items() if "/" in key}

    def curve(self, name: str, metric: str) -> list[tuple[int, float]]:
        return [(row["step"], row[metric]) for row in self.of(name)["logs"] if metric in row]

    def damage(self, name: str) -> None:
        next(self.folder.glob(f"transferbench/*/{name}*")).unlink()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        servers.without_proxies(patch)
        with servers.mlflow(tmp_path_factory.mktemp("mlflow")) as address:
            yield address


@pytest.fixture(params=["mlflow", "tensorboard", "trackio", "wandb"])
def seen(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Seen]:
    servers.needed(request.param)
    monkeypatch.setenv("PYTHONPATH", tiny.environment()["PYTHONPATH"])
    if request.param == "mlflow":
        found = InMLflow(request.getfixturevalue("server"))
        yield found
        for one in found.runs():
            found.client.delete_run(one.info.run_id)
    else:
        folders: dict[str, Callable[[Path], Seen]]
        folders = {"tensorboard": InTensorBoard, "trackio": InTrackio, "wandb": InWandB}
        yield folders[request.param](tmp_path / "there")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Five cells of the run that all these tests share, one of which ran out of memory."""
    made = make_run(tmp_path / "results", seeds=(0,), sizes=(50, 800), models={"tiny_gpt2": MODELS["tiny_gpt2"]})
    info = json.loads((made / "run.json").read_text())
    kept = [cell for cell in info["cells"] if any(word in cell for word in ("-lora-0", "-distillation-", "zero_shot"))]
    files.write_json(made / "run.json", info | {"cells": kept})
    return made


def send(run: Path, seen: Seen) -> Outcome:
    with sending.beside(run, [seen.target]) as sendings:
        (outcome,) = sending.outcomes(sendings)
    assert outcome.faults == []
    return outcome


def told(run: Path) -> dict[str, telling.Told]:
    return {one.name: one for one in telling.group(runs.read(run)).cells}


def test_what_is_there_is_what_the_records_say(run: Path, seen: Seen) -> None:
    wanted = told(run)
    assert {CELL, BROKEN} < set(wanted)
    outcome = send(run, seen)
    assert (outcome.cells, outcome.sent, outcome.there, outcome.not_sent) == (len(wanted), len(wanted), 0, 0)
    assert seen.names() == sorted(wanted)
    parameters = {key: str(value).removesuffix(".0") for key, value in seen.parameters(CELL).items()}
    for key in ("model", "approach", "target", "options.lora.rank", "environment.packages.torch"):
        assert parameters[key] == str(wanted[CELL].parameters[key]).removesuffix(".0")
    assert seen.metrics(CELL) == pytest.approx(wanted[CELL].metrics)
    for metric in ("curve/train_loss", "curve/validation_loss"):
        points = [(point.step, point.values[metric]) for point in wanted[CELL].curves if metric in point.values]
        found = seen.curve(CELL, metric)
        assert [step for step, _ in found] == [step for step, _ in points]
        assert [value for _, value in found] == pytest.approx([value for _, value in points])
    assert seen.metrics(BROKEN) == {}

    again = send(run, seen)
    assert (again.sent, again.there) == (0, len(wanted))
    assert seen.names() == sorted(wanted)


def test_what_changed_or_came_in_part_is_sent_again_and_stands_there_once(run: Path, seen: Seen) -> None:
    send(run, seen)
    path = runs.record_path(run, told(run)[BROKEN].cell)
    record, other = json.loads(path.read_text()), json.loads(runs.record_path(run, told(run)[CELL].cell).read_text())
    record["happened"] |= {"status": "ok", "reason": "", "scores": other["happened"]["scores"]}
    files.write_json(path, record)
    seen.damage(CELL)
    outcome = send(run, seen)
    assert outcome.sent == 2
    assert seen.names() == sorted(told(run))
    assert seen.metrics(BROKEN) == pytest.approx(told(run)[BROKEN].metrics)


def test_mlflow_has_the_run_around_its_cells(run: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_RUN_ID", "0" * 32)  # with which Accelerate would put all cells into one
    monkeypatch.setenv("PYTHONPATH", tiny.environment()["PYTHONPATH"])
    seen = InMLflow(server)
    send(run, seen)
    (parent,) = [one for one in seen.runs() if "mlflow.parentRunId" not in one.data.tags]
    assert parent.info.run_name == run.name
    assert {one.data.tags["mlflow.parentRunId"] for one in seen.cells()} == {parent.info.run_id}
    assert parent.data.metrics["out_of_memory"] == 1
    assert parent.data.metrics["cells"] == len(seen.cells())
    broken, whole = seen.of(BROKEN), seen.of(CELL)
    assert (broken.info.status, whole.info.status) == ("FAILED", "FINISHED")
    assert broken.data.tags["status"] == "out_of_memory"
    assert broken.data.tags["reason"].startswith("one example at a time")
    assert whole.info.end_time - whole.info.start_time == 14_200
    assert whole.data.tags["mlflow.note.content"].startswith("| metric | value |")
    experiment = seen.client.get_experiment_by_name("quickstart")
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"

    seen.client.delete_run(parent.info.run_id)  # by hand, and its cells would be nobody's
    outcome = send(run, seen)
    assert outcome.sent == outcome.cells
    for one in seen.runs():
        seen.client.delete_run(one.info.run_id)


def test_a_folder_that_holds_another_run_of_the_name_stays_as_it_is(run: Path, tmp_path: Path) -> None:
    servers.needed("tensorboard")
    target = Target("tensorboard", str(tmp_path / "logs"))
    with sending.beside(run, [target]) as sendings:
        sending.outcomes(sendings)
    info = json.loads((run / "run.json").read_text())
    files.write_json(run / "run.json", info | {"started": "2031-01-01T00:00:00+00:00"})
    before = tiny.states(tmp_path / "logs")
    with sending.beside(run, [target]) as sendings:
        (outcome,) = sending.outcomes(sendings)
    assert outcome.complaint(run).startswith(f"{target}: {outcome.cells} of {outcome.cells} cells not sent ({tmp_path}")
    assert "holds another run of this name); name another folder, then: " in outcome.complaint(run)
    assert tiny.states(tmp_path / "logs") == before
