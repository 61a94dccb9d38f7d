"""A finished run as a folder that any static host serves, that Hugging Face's datasets load, and that commands read.

::

    index.html            the card as a page
    README.md             the card
    report/               what `bench report` writes: pages, tables, plots
    data/                 results, curves and items as Parquet, results as CSV
    samples/<cell>/       what cells made
    run/                  the run itself (:mod:`bench.publication.copying`)
    SHA256SUMS            of all of it
"""

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from bench import report
from bench.errors import ResultsError
from bench.publication import card, copying, data
from bench.publication.card import About
from bench.results import disk, files, manifest, runs
from bench.words import counted

_OTHER = "folder as DIR"


class Published(NamedTuple):
    """What was written.

    Attributes:
        folder: where.
        replaced: whether an earlier publication stood there.
        files: how many there are now.
        tables: what is in ``data/``.
        left_behind: what is not as in the run, a line for each.
    """

    folder: Path
    replaced: bool
    files: int
    tables: list[data.Table]
    left_behind: list[str]


def publish(run: Path, into: Path, about: About) -> Published:
    """Write a run's publication, whole or not at all: it is built beside its place, then renamed.

    An earlier publication of the same suite is replaced where nobody has changed it. The same bytes from the same run.

    Raises :class:`ResultsError`, before anything is written, where the run is not finished, damaged or a publication
    itself, or where something else lies in the folder.
    """
    found = _usable(run)
    into = into.resolve()
    before = _place(into, found)
    with disk.clear_errors(into, _OTHER):
        into.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{into.name}-", dir=into.parent))
    try:
        with disk.clear_errors(into, _OTHER):
            tables, left_behind = _build(found, partial, about)
            count = sum(path.is_file() for path in partial.rglob("*"))
            _put(partial, into, before)
    except (files.Damaged, RecursionError) as reason:
        raise ResultsError(f"{run}: damaged ({reason}); see bench verify") from reason
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Published(into, before is not None, count, tables, left_behind)


def _usable(run: Path) -> runs.Found:
    """A run that can be published."""
    if manifest.is_published_run(run):
        raise ResultsError(f"{run}: a published run already; copy the folder around it")
    info, _ = runs.about(run)
    if not info["finished"]:
        raise ResultsError(
            f"{run}: not finished, so what is missing would not be known; go on with it by `bench run {info['suite']}`"
        )
    found = runs.read(run)
    if found.damaged:
        raise ResultsError(f"{found.told()[0]} (and see bench verify); then publish it")
    return found


def _place(into: Path, found: runs.Found) -> list[str] | None:
    """The files of the publication that is to be replaced; None where there is none."""
    run = found.folder.resolve()
    if into == run or run in into.parents:
        raise ResultsError(f"{into}: lies in the run itself; name a folder elsewhere")
    if not into.exists() or (into.is_dir() and not any(into.iterdir())):
        return None
    if not manifest.is_published(into):
        raise ResultsError(f"{into}: holds something else than a publication; name an empty or a new folder")
    suite = runs.read_info(into / manifest.RUN)[0]["suite"]
    if suite != found.info["suite"]:
        raise ResultsError(f"{into}: a publication of {suite}, not of {found.info['suite']}; name another folder")
    try:
        checked = manifest.check(into)
    except files.Damaged as reason:
        raise ResultsError(f"{into}: {reason}; remove the publication or name another folder") from reason
    if others := [*checked.strange, *checked.wrong]:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        raise ResultsError(
            f"{into}: {others[0]}{more}: not as a publication left it, and nothing of yours is replaced; "
            "move it away or name another folder"
        )
    return [*sorted(checked.listed.keys() - set(checked.gone)), manifest.NAME]


def _build(found: runs.Found, into: Path, about: About) -> tuple[list[data.Table], list[str]]:
    run = into / manifest.RUN
    run.mkdir()
    copied = copying.copy(found, run)
    built = into / ".report"
    shown = report.build(run, built).page.parent
    shown.rename(into / "report")
    shutil.rmtree(built)
    tables = data.write(copied, into / "data")
    digest = hashlib.sha256((into / "data" / "results.parquet").read_bytes()).hexdigest()
    written = card.Written(tables, data.samples(copied, into / "samples"), digest)
    text = card.markdown(copied, about, written, into / "report")
    (into / "README.md").write_text(text, encoding="utf-8")
    title = f"{copied.info['suite']} / {copied.info['run']}"
    (into / "index.html").write_text(card.html(text, title), encoding="utf-8")
    manifest.write(into)
    for path in (into, *into.rglob("*")):  # what is built in a folder of one's own is to be served to others
        path.chmod(0o755 if path.is_dir() else 0o644)
    if copied.damaged:
        raise files.Damaged("; ".join(copied.damaged.values()))
    return tables, copying.left_behind(copied.info)


def _put(partial: Path, into: Path, before: list[str] | None) -> None:
    """Rename what was built; of what stood there only the files of a publication are taken away."""
    if before is None:
        partial.replace(into)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{into.name}-", dir=into.parent))
    try:
        into.replace(aside)
        partial.replace(into)
    except BaseException:  # Ctrl-C, too
        if into.exists():
            aside.rmdir()
        else:
            aside.replace(into)
        raise
    for name in before:
        (aside / name).unlink(missing_ok=True)
    for folder in sorted((path for path in aside.rglob("*") if path.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()
    if any(aside.iterdir()):  # somebody put it there meanwhile
        raise ResultsError(f"{into}: published; {counted(len(list(aside.iterdir())), 'thing')} of yours lie in {aside}")
    aside.rmdir()
