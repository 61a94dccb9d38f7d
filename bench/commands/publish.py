"""Write a finished run as a folder for others: pages, tables, samples, data, and a card that says how to cite it.

The folder is for any static host, and for Hugging Face's hub: `README.md` is its data card, and `data/` holds
results, training curves and scores by test item as Parquet, with what each column means. `bench compare`,
`report`, `recommend`, `export` and `verify` take it as they take a run. Logs stay behind, and so do paths,
names of the machine and its user, and tokens in what records say; how much that is, is said. A folder that is
not empty is refused, unless an earlier publication of the same suite lies there, unchanged: that is replaced.
"""

import argparse
import json
import re
from pathlib import Path

from bench.commands import _arguments, _saying
from bench.errors import ResultsError
from bench.words import counted, cut


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run, where it goes, and what only who publishes it knows."""
    _arguments.add_run(parser)
    parser.add_argument("folder", type=Path, metavar="DIR", help="where it goes: new, empty, or an earlier publication")
    parser.add_argument("--by", type=_line, metavar="NAME", help="whom others cite")
    parser.add_argument("--license", type=_license, metavar="ID", help="its identifier, such as cc-by-4.0")
    parser.add_argument("--url", type=_url, metavar="URL", help="where it will be found")
    _arguments.add_json(parser)


def call(chosen: argparse.Namespace) -> int:
    """0."""
    from bench.publication import card, folder
    from bench.running import status

    run = _arguments.run_folder(chosen)
    if status.is_held(run):
        raise ResultsError(f"{run}: a process works on it; publish it when that has ended")
    about = card.About(chosen.by or "", chosen.license or "", chosen.url or "")
    found = folder.publish(run, chosen.folder, about)
    if chosen.json:
        rows = {table.name: table.rows for table in found.tables}
        said = {"results": str(run), "published": str(found.folder), "replaced": found.replaced}
        print(json.dumps(said | {"files": found.files, "rows": rows, "left_behind": found.left_behind}))
        return 0
    for line in found.left_behind:
        print(_saying.plain(line))
    if not about.license:
        print("no licence is stated, so others do not know what they may do: --license ID")
    tables = (f"{table.name} {counted(table.rows, 'row')}" for table in found.tables)
    print(f"data     {', '.join(tables)}")
    earlier = " (in the place of the earlier one)" if found.replaced else ""
    print(f"page     {found.folder / 'index.html'} and {counted(found.files - 1, 'file')} beside it{earlier}")
    return 0


def _line(text: str) -> str:
    if not text.isprintable() or not 0 < len(text.strip()) <= 200:
        raise argparse.ArgumentTypeError(f"{cut(text, 60)!r} is not a name in one line of at most 200 characters")
    return text.strip()


def _license(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9.+-]{0,40}", text.lower()):
        raise argparse.ArgumentTypeError(f"{cut(text, 60)!r} is not an identifier such as cc-by-4.0 or apache-2.0")
    return text.lower()


def _url(text: str) -> str:
    if not re.fullmatch(r"https?://[A-Za-z0-9._~:/?#@!$&'()*+,;=%-]{1,500}", text):
        raise argparse.ArgumentTypeError(f"{cut(text, 60)!r} is not an address such as https://example.org/table")
    return text
