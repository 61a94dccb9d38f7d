"""Arguments that several commands take."""

import argparse
from pathlib import Path
from typing import Any

from bench.words import cut


def add_suite(parser: argparse.ArgumentParser) -> None:
    """A suite, by path or by name."""
    complete_suites(parser.add_argument("suite", help="a YAML file, or the name of a suite (see `bench list suites`)"))


def complete_suites(action: Any) -> None:
    """An argument that is a suite: a shell may complete it."""
    action.completer = _suites


def add_parser(parsers: Any, name: str, told: str) -> argparse.ArgumentParser:
    """Something to choose, of which ``told`` is the help: its first line stands in the list."""
    first = told.split("\n", 1)[0].rstrip(".")
    about = argparse.RawDescriptionHelpFormatter
    made: argparse.ArgumentParser = parsers.add_parser(
        name, help=first[0].lower() + first[1:], description=told, formatter_class=about
    )
    return made


def add_folder(parser: argparse.ArgumentParser, name: str) -> None:
    """``--results`` or ``--reports``."""
    parser.add_argument(f"--{name}", type=Path, default=Path(name), metavar="DIR", help=f"default: {name}")


def add_run(parser: argparse.ArgumentParser) -> None:
    """A run; :func:`run_folder` says which."""
    parser.add_argument("results", type=Path, help="a run's folder, or its suite's folder or name (the latest run)")


def run_folder(chosen: argparse.Namespace) -> Path:
    """Of the run that was named, by its own folder, or by its suite's folder or name: the latest, or the only one."""
    from bench.results import runs

    folder: Path = chosen.results
    if not folder.exists() and (named := Path("results") / folder).is_dir():
        folder = named
    if latest := runs.latest(folder):
        return latest
    alone = [path.parent for path in folder.glob("*/run.json")]
    return alone[0] if len(alone) == 1 else folder


def add_workers(parser: argparse.ArgumentParser, of: str) -> None:
    """How many cells train at a time."""
    parser.add_argument("--workers", type=count, metavar="N", help=of)


def add_retry(parser: argparse.ArgumentParser) -> None:
    """How often to try what did not end well: 0 where it is not there, 1 where it stands alone."""
    told = "train cells again that failed, diverged or ran out, trying each up to N times (default: once)"
    parser.add_argument("--retry", type=_tries, nargs="?", const=1, default=0, metavar="N", help=told)


def _tries(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{cut(text, 100)!r} is no number of tries; name the suite before --retry")
    return count(text)


def add_track(parser: argparse.ArgumentParser, option: str) -> None:
    """Trackers; :func:`bench.trackers.targets.chosen` says which."""
    told = "mlflow, tensorboard, trackio or wandb, which may have an address or a folder: mlflow=http://127.0.0.1:5000"
    parser.add_argument(
        option, dest="track", action="append", metavar="TRACKER", help=f"send results to {told}; may be repeated"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Another form of what is printed."""
    parser.add_argument("--json", action="store_true", help="print JSON for scripts")


def _suites(prefix: str, **_: Any) -> list[str]:
    """For a shell: shipped suites, those in ``./suites``, and files."""
    from argcomplete.completers import FilesCompleter

    from bench.suite import loading

    here = [path.stem for path in Path("suites").glob("*.yaml")]
    return [*{*here, *(path.stem for path in loading.available())}, *FilesCompleter(("yaml", "yml"))(prefix)]


def count(text: str) -> int:
    """A whole number of one or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{cut(text, 60)!r} is not a number of one or more")
    return int(text)
