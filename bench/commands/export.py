"""Take a trained model home, or print the tidy table of a run as CSV.

`bench export results/quickstart/<run>/CELL DIR` writes the cell's model into a folder that the `from_pretrained` of
transformers, diffusers or PEFT loads without this package: whole weights, or an adapter in PEFT's own format where the
approach is one. What was written is loaded again and compared before it gets its name. CELL alone is looked for in all
runs; a run that kept the weights of one cell can be named instead of it.

`bench export results/quickstart > quickstart.csv` prints one row per (cell, metric).
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from bench.commands import _arguments, _saying


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The cell and the folder, or the run."""
    named = parser.add_argument("results", metavar="CELL|RUN", help="a cell with weights, or a run for its table")
    named.completer = _kept  # type: ignore[attr-defined]
    parser.add_argument("folder", type=Path, nargs="?", metavar="DIR", help="for the model: not there yet, or empty")
    parser.add_argument("--merged", action="store_true", help="whole weights, also where it could be a PEFT adapter")
    parser.add_argument(
        "--results", type=Path, dest="under", default=Path("results"), metavar="DIR", help="where runs lie (results)"
    )
    _arguments.add_json(parser)


def call(chosen: argparse.Namespace) -> int:
    """Of records, finished or not; or of a trained cell."""
    if chosen.folder is not None:
        return _model(chosen)
    from bench.results import runs, tidy

    chosen.results = Path(chosen.results)
    folder = _arguments.run_folder(chosen)
    sys.stdout.write(tidy.as_csv(tidy.table(runs.records(folder))))
    return 0


def _model(chosen: argparse.Namespace) -> int:
    from bench.report import card
    from bench.results import runs
    from bench.running import export
    from bench.running.export import finding

    export.check(chosen.folder)
    trained = finding.find(chosen.results, chosen.under)
    spec = trained.cell.model
    base = spec.checkpoint if spec.checkpoint and spec.fingerprint is None else ""

    def about(made: dict[str, Any]) -> str:
        return card.make(runs.read(trained.run), trained.record, made, base)

    made = export.export(trained, chosen.folder, about, merged=chosen.merged)
    if chosen.json:
        print(json.dumps(made | {"cell": trained.id, "run": str(trained.run), "folder": str(chosen.folder)}))
        return 0
    if made["instead"]:
        _saying.tell([f"no PEFT adapter by itself ({made['instead']}): whole weights instead"])
    if made["warning"]:
        _saying.tell([made["warning"]])
    kind = f"PEFT adapter ({made['method']})" if made["kind"] == "adapter" else "whole weights"
    reader = "peft.PeftModel" if made["kind"] == "adapter" else made["reader"]
    loads = f"{reader}.from_pretrained" if reader else "this package alone: no other library has this kind of network"
    print(_saying.printable(f"{trained.id}: {kind}, {made['bytes'] / 2**20:,.1f} MiB, for {loads}"))
    print(f"folder   {chosen.folder}\ncard     {chosen.folder / 'README.md'}")
    return 0


def _kept(prefix: str, **_: Any) -> list[str]:
    """For a shell: cells whose weights are in ``results``, and paths."""
    from argcomplete.completers import FilesCompleter

    from bench.results import weights

    there = [weights.cell_of(path.name) for path in Path("results").glob(f"*/*/{weights.FOLDER}/*")]
    return [*{cell for cell in there if cell}, *FilesCompleter()(prefix)]
