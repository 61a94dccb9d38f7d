"""MLflow: an experiment for a suite, a run for each of its runs, and in that a nested run for each cell.

Times are those of the run, so that a curve that is sent twice is the same points.
"""

import os
from collections.abc import Mapping
from typing import Any

from bench.trackers.telling import Group, Told, Value

_CELL, _RUN, _DIGEST = "transferbench.cell", "transferbench.run_id", "transferbench.digest"
_PARENT = "mlflow.parentRunId"
_PAGE = 1000  # runs that are asked for at a time
_BATCH = 1000  # points that a server takes at a time
_STATUS = {True: "FINISHED", False: "FAILED"}


class MLflow:
    """A server, or a store, at an address in MLflow's words."""

    def __init__(self, address: str) -> None:
        os.environ["MLFLOW_TRACKING_URI"] = address
        import mlflow

        mlflow.set_tracking_uri(address)
        self.client = mlflow.MlflowClient()
        self.experiment = self.parent = ""
        self.tags: dict[str, str] = {}  # of the run's own
        self.earlier: dict[str, list[str]] = {}  # of each cell, which may be there in part

    def open(self, group: Group) -> dict[str, str]:
        self.group = group
        self.name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or group.suite
        found = self.client.get_experiment_by_name(self.name)
        # or its page would show what it shows of agents
        kind = {"mlflow.experimentKind": "custom_model_development", "mlflow.note.content": group.description}
        self.experiment = found.experiment_id if found else self.client.create_experiment(self.name, tags=kind)
        there: dict[str, dict[str, str]] = {}
        for run in self._runs():
            tags = run.data.tags
            if not (cell := tags.get(_CELL)):
                self.parent, self.tags = run.info.run_id, tags
            else:
                self.earlier.setdefault(cell, []).append(run.info.run_id)
                there[cell] = tags
        self._open_parent()
        whole = {cell: tags for cell, tags in there.items() if len(self.earlier[cell]) == 1}
        return {cell: tags.get(_DIGEST, "") for cell, tags in whole.items() if tags.get(_PARENT) == self.parent}

    def _runs(self) -> list[Any]:
        found: list[Any] = []
        token = None
        while True:
            page = self.client.search_runs(
                [self.experiment], f"tags.`{_RUN}` = '{self.group.id}'", max_results=_PAGE, page_token=token
            )
            found += page
            if not (token := page.token):
                return found

    def _open_parent(self) -> None:
        if not self.parent:
            self.tags = {_RUN: self.group.id, "mlflow.note.content": self._about()} | self.group.tags
            self.parent = self._create(self.group.run, self.tags, self.group.tags)
        for key, value in self.group.tags.items():
            if self.tags.get(key) != value:
                self.client.set_tag(self.parent, key, value)

    def _about(self) -> str:
        return self.group.description or f"Run {self.group.run} of suite {self.group.suite}"

    def _create(self, name: str, tags: dict[str, str], environment: Mapping[str, Value]) -> str:
        """A run that is shown as one of ours, of the commit that it came from."""
        version = environment.get("environment.packages.transferbench", "")
        tags |= {"mlflow.source.name": f"transferbench {version}".strip(), "mlflow.source.type": "LOCAL"}
        if commit := environment.get("environment.commit"):
            tags["mlflow.source.git.commit"] = str(commit).removesuffix("+")
        began = round(self.group.began * 1000)
        return str(self.client.create_run(self.experiment, began, tags, run_name=name).info.run_id)

    def put(self, told: Told) -> None:
        from accelerate.tracking import MLflowTracker

        for run in self.earlier.pop(told.cell, []):
            self.client.delete_run(run)
        tags = {_RUN: self.group.id, _CELL: told.cell, _PARENT: self.parent}
        tags |= {"mlflow.note.content": told.notes, "suite": self.group.suite, "run": self.group.run}
        run = self._create(told.name, tags | told.tags, told.parameters)
        self.earlier[told.cell] = [run]
        tracker = MLflowTracker(experiment_name=self.name, run_id=run)
        tracker.start()
        try:
            tracker.store_init_configuration(told.parameters)
            self._put_curves(run, told)
            ended = round((self.group.began + told.seconds) * 1000)
            if told.metrics:
                tracker.log(told.metrics, step=0, timestamp=ended)
        finally:
            tracker.finish()
        self.client.set_tag(run, _DIGEST, told.digest)
        self.client.set_terminated(run, _STATUS[told.well], ended)

    def _put_curves(self, run: str, told: Told) -> None:
        """Many points in a request; Accelerate makes one for each."""
        from mlflow.entities import Metric

        points = [
            Metric(name, value, round((self.group.began + point.seconds) * 1000), point.step)
            for point in told.curves
            for name, value in point.values.items()
        ]
        for first in range(0, len(points), _BATCH):
            self.client.log_batch(run, metrics=points[first : first + _BATCH])

    def close(self) -> str:
        there = self.client.get_run(self.parent).data.metrics
        for name, value in self.group.metrics.items():
            if there.get(name) != value:
                self.client.log_metric(self.parent, name, value)
        if self.group.ended:
            well = set(self.group.metrics) <= {"cells", "ok", "not_applicable"}
            self.client.set_terminated(self.parent, _STATUS[well], round(self.group.ended * 1000))
        return f"experiment {self.name}, run {self.group.run}"
