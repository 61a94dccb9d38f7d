"""What this machine can do, and what would stop a run here. Imports no torch: only processes of its own do.

All checks are made at once, since most of them wait. One that raises is a fault like any other: where an installation
is broken, nobody knows what else is. So modules here import packages only in the checks that need them.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench.running.doctor import folders, machine, needs, packages, processes
from bench.running.doctor.finding import Finding as Finding

if TYPE_CHECKING:
    from bench.suite.loading import Suite

Check = Callable[[], Iterable[Finding]]


def examine(results: Path, reports: Path, suite: "Suite | None" = None) -> list[Finding]:
    """All findings, in the order of a page.

    Args:
        results, reports: folders that runs and pages will be written to.
        suite: what is to run; what it needs is checked, too.
    """
    checks: dict[str, Check] = {
        "python": packages.python,
        "packages": packages.required,
        "extras": packages.extras,
        "plugins": packages.broken_plugins,
        "devices": processes.devices,
        "workers": processes.fork_server,
        "memory": machine.memory,
        "cores": machine.cores,
        "limits": machine.limits,
        "clock": machine.clock,
        "disk": partial(folders.disks, results, reports),
        "cache": folders.cached,
        "hub": needs.hub_cache,
        "network": partial(needs.network, suite),
    }
    if suite:
        checks |= {"suite": partial(needs.of_suite, suite), "libraries": processes.libraries}
    with ThreadPoolExecutor(len(checks)) as threads:
        return [finding for found in threads.map(_made, checks.items()) for finding in found]


def _made(named: tuple[str, Check]) -> list[Finding]:
    area, check = named
    try:
        return list(check())
    except Exception as error:
        said = " ".join(str(error).split())[:200]
        mend = "mend that first; where a module is missing, pip install transferbench again"
        return [Finding("fault", area, f"cannot be checked ({type(error).__name__}: {said})", mend)]
