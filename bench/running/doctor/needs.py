"""The hub and its cache, and whether what a suite needs is here or can be had. Nothing is downloaded."""

import threading
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

from bench.running.doctor import folders, packages
from bench.running.doctor.finding import Finding
from bench.words import counted

if TYPE_CHECKING:
    from bench.plugins import Plugin
    from bench.suite.loading import Suite

_PATIENCE = 4  # seconds; where names are not resolved, a client would wait for half a minute
_CLOCK = 300  # seconds


def hub_cache() -> Iterator[Finding]:
    """Where checkpoints of the hub are kept, and downloads that were cut off."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE)
    yield folders.tried("hub", folder, "set HF_HOME to a folder that is")
    if not folder.is_dir():
        yield Finding("ok", "hub", f"{folder}: nothing yet")
        return
    models = sum(1 for _ in folder.glob("models--*"))
    yield Finding("ok", "hub", f"{folder}: {counted(models, 'model')}, {folders.size(folder)}")
    if cut := list(folder.glob("*/blobs/*.incomplete")):
        said = f"{counted(len(cut), 'download')} cut off in it, such as {cut[0].parent.parent.name}"
        yield Finding("note", "hub", said, "bench fetch SUITE goes on with those of a suite")


def network(suite: "Suite | None") -> Iterator[Finding]:
    """Whether the hub can be reached: a fault only where a suite lacks something that comes from there."""
    from huggingface_hub import constants

    from bench.checkpoints import hub
    from bench.running import fetching

    wanted = [need for need in fetching.needs(suite) if not need.fault] if suite else []
    missing = [need.name for need in wanted if need.there is False]
    unknown = [need.name for need in wanted if need.there is None]
    why = "HF_HUB_OFFLINE is set" if hub.offline() else _unreachable(constants.ENDPOINT)
    if isinstance(why, float):
        yield Finding("ok", "network", f"{constants.ENDPOINT} can be reached")
        if abs(why) > _CLOCK:
            said = f"this machine's clock and the hub's are {abs(why) / 60:.0f} minutes apart"
            yield Finding("note", "clock", said, "set the clock")
        for name in missing:
            yield Finding("note", "suite", f"{name} is not here yet", f"bench fetch {suite.name if suite else 'SUITE'}")
    else:
        yield Finding("note", "network", f"offline: {why}", hub.REMEDY if not suite or missing or unknown else "")
        for name in missing:
            yield Finding("fault", "suite", f"{name} is not here, and cannot be had", hub.REMEDY)
        for name in unknown:
            yield Finding("note", "suite", f"whether {name} is here, only its own code can tell", hub.REMEDY)


def of_suite(suite: "Suite") -> Iterator[Finding]:
    """What keeps a suite from running that its files, the cache, and the packages here tell."""
    from bench.running import planning

    faults = [Finding("fault", "suite", f.problem, f.remedy) for f in planning.plan(suite, Path("results")).faults]
    used = {plugin.constants["EXTRA"] for plugin in _plugins(suite) if "EXTRA" in plugin.constants}
    for extra in sorted(used):
        if names := packages.lacking(extra):
            faults.append(Finding("fault", "suite", f"it lacks {', '.join(names)}", packages.remedy(extra)))
    yield from faults
    if not faults:
        yield Finding("ok", "suite", f"{suite.name}: {counted(len(suite.cells), 'cell')}, whose files will do")


def _plugins(suite: "Suite") -> Iterator["Plugin"]:
    from bench import plugins

    for cell in suite.cells:
        yield plugins.find("families", cell.model.family)
        yield plugins.find("datasets", cell.target.plugin)
        if cell.model.recipe:
            yield plugins.find("datasets", cell.model.recipe.source.plugin)
        for name, options in cell.metrics:
            yield plugins.find("metrics", name)
            if space := options.get("space"):
                yield plugins.find("features", space)


def _unreachable(address: str) -> str | float:
    """Why nothing answers there; where something does, how many seconds its clock is ahead of ours."""
    answer: list[str | float] = [f"{address} does not answer within {_PATIENCE} seconds"]

    def ask() -> None:
        import httpx

        try:
            date = httpx.head(address, timeout=_PATIENCE).headers.get("date")
            answer.append(parsedate_to_datetime(date).timestamp() - time() if date else 0.0)
        except Exception as error:  # of networks, proxies and certificates
            answer.append(f"{address} cannot be reached ({' '.join(str(error).split())[:150]})")

    asking = threading.Thread(target=ask, daemon=True)  # to look a name up cannot be cut short, only left behind
    asking.start()
    asking.join(_PATIENCE)
    return answer[-1]
