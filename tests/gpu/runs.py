"""Runs of the real runner, for the parts that need one: in this process, with workers from the one server."""

import statistics
from pathlib import Path
from typing import Any

import yaml

from bench.results import runs
from bench.running import runner
from bench.suite import loading
from bench.suite.loading import Suite
from tests.gpu.box import Box
from tests.tiny import Silent


def taken(box: Box, name: str, declared: dict[str, Any], workers: int) -> tuple[list[dict[str, Any]], Suite]:
    """Run a suite for as long as there is time; the records there are, and what was asked for."""
    path = box.scratch / f"{name}.yaml"
    path.write_text(yaml.safe_dump(declared, sort_keys=False))
    suite = loading.load(path)
    folder = runner.start(suite, box.scratch / "results")
    try:
        runner.run(suite, folder, Silent(), workers=workers)
    except runner.Interrupted as end:
        if not box.is_over:
            raise KeyboardInterrupt from end
        box.say(f"Cut by the time box: {str(end).partition(' and kept')[0]}.")
    return runs.records(folder), suite


def tell_ends(box: Box, records: list[dict[str, Any]], suite: Suite) -> None:
    """How cells ended; one that did not end well is told with its reason, and ends the part as failed."""
    statuses = [record["happened"]["status"] for record in records]
    each = ", ".join(f"{statuses.count(status)} {status}" for status in sorted(set(statuses)))
    seconds = [record["happened"]["seconds"] for record in records if record["happened"]["status"] == "ok"]
    box.say(f"{len(records)} of {len(suite.cells)} cells: {each or 'none'}.")
    if seconds:
        box.say(f"A cell that ended well took {statistics.median(seconds):.1f} s (median of {len(seconds)}).")
    for record in records:
        happened = record["happened"]
        if happened["status"] not in ("ok", "not_applicable"):
            box.row(
                "Cells that did not end well", cell=record["cell"], ended=happened["status"], why=happened["reason"]
            )
            folders = [path.parent for path in box.scratch.glob("results/*/*/run.json")]
            traces = [runs.Cells(folder).content(record["cell"], "traceback.txt") or b"" for folder in folders]
            trace = b"".join(traces).decode()
            box.fail(f"{record['cell']}: {happened['status']}: {happened['reason']}", trace)


def scores(record: dict[str, Any]) -> dict[str, float]:
    return {score["metric"]: score["value"] for score in record["happened"]["scores"]}


def suite_file(name: str) -> Any:
    return yaml.safe_load((Path(__file__).parents[2] / "suites" / f"{name}.yaml").read_text())
