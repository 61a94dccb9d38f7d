"""Installed packages against what this version asks for, and against each other. Imports none of them."""

import platform
import shlex
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from bench.running.doctor.finding import Finding
from bench.words import counted

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_OURS = "transferbench"
_KNOWN = {
    ("torch", "<2.14"): "crashes in the backward pass of a group norm whose channels-last input needs no gradient, as "
    "gradual_unfreezing of a spectral audio model has it: those cells would fail",
}
"""What versions that are allowed are known to get wrong: (package, versions) to what happens."""

_ROOT = Path(__file__).parents[3]  # of the checkout, where this is one


def python() -> Iterator[Finding]:
    """The interpreter."""
    from packaging.specifiers import SpecifierSet

    here, wanted = platform.python_version(), asked()[0]
    if SpecifierSet(wanted).contains(here, prereleases=True):
        yield Finding("ok", "python", f"{here} (asked for: {wanted})")
    else:
        yield Finding("fault", "python", f"{here}; asked for: {wanted}", "make another environment with such a Python")


def required() -> Iterator[Finding]:
    """A fault for each package that is missing, or of a version that was never tried; else one line of all."""
    wanted = asked()[1][""]
    faults = [*_against(wanted, "packages"), *_conflicts(wanted)]
    yield from faults
    yield from _known()
    if not faults:
        from bench.running import environment

        named = [part.name for part in wanted if part.name in environment.PACKAGES]
        versions = ", ".join(f"{name} {metadata.version(name)}" for name in named)
        yield Finding("ok", "packages", f"all {len(wanted)} as asked for: {versions}")


def extras() -> Iterator[Finding]:
    """Which are complete. One that is not installed is no fault: most suites need none."""
    complete = []
    for name, wanted in asked()[1].items():
        lacking = [part.name for part in wanted if _version(part.name) is None]
        if name and not lacking:
            faults = list(_against(wanted, f"extra {name}"))
            yield from faults
            complete += [] if faults else [name]
        elif name:
            yield Finding("note", "extras", f"{name} lacks {', '.join(lacking)}", remedy(name))
    if complete:
        yield Finding("ok", "extras", f"complete: {', '.join(complete)}")


def broken_plugins() -> Iterator[Finding]:
    """Plugins of other distributions that nobody can reach."""
    from bench import plugins

    faults = plugins.faults()
    for fault in faults:
        said, _, mend = fault.rpartition("; ")
        yield Finding("fault", "plugins", said or fault, mend if said else "mend or uninstall it")
    if not faults:
        number = sum(len(plugins.installed.entries(kind)) for kind in plugins.KINDS)
        yield Finding("ok", "plugins", f"{counted(number, 'installed plugin')} beside the built-in ones")


def lacking(extra: str) -> list[str]:
    """Packages of an extra that are not here."""
    return [part.name for part in asked()[1].get(extra, ()) if _version(part.name) is None]


def remedy(extra: str) -> str:
    """What installs an extra."""
    return f"pip install '{_OURS}[{extra}]'"


def asked() -> tuple[str, "dict[str, list[Requirement]]"]:
    """Of Python, and of packages: under ``""`` what is always needed, then each extra that a user may ask for.

    In a checkout its pyproject.toml says so: metadata of an editable installation are as old as that.
    """
    from packaging.requirements import Requirement

    file = _ROOT / "pyproject.toml"
    project = tomllib.loads(file.read_text(encoding="utf-8"))["project"] if file.is_file() else {}
    if project.get("name") == _OURS:
        always = [Requirement(line) for line in project["dependencies"]]
        beside = project["optional-dependencies"]
        by_extra = {name: [Requirement(line) for line in lines] for name, lines in beside.items()}
        wanted = project["requires-python"]
    else:
        about = metadata.metadata(_OURS)
        every = [Requirement(line) for line in metadata.requires(_OURS) or ()]
        always = [part for part in every if _holds(part)]
        names = about.get_all("Provides-Extra") or []
        by_extra = {name: [part for part in every if not _holds(part) and _holds(part, name)] for name in names}
        wanted = about["Requires-Python"] or ""
    of_users = [name for part in by_extra.get("all", []) for name in sorted(part.extras)]  # others are for development
    return wanted, {"": [part for part in always if _holds(part)], **{name: by_extra[name] for name in of_users}}


def _against(wanted: "list[Requirement]", area: str) -> Iterator[Finding]:
    for part in wanted:
        found = _version(part.name)
        install = shlex.join(["pip", "install", str(part)])
        if found is None:
            yield Finding("fault", area, f"{part.name} is not installed", install)
        elif not found:
            again = shlex.join(["pip", "install", "--force-reinstall", str(part)])
            yield Finding("fault", area, f"{part.name} is damaged: it does not know its version", again)
        elif not part.specifier.contains(found, prereleases=True):
            yield Finding("fault", area, f"{part.name} is {found}; asked for: {part.specifier}", install)


def _known() -> Iterator[Finding]:
    from packaging.specifiers import SpecifierSet

    for (name, bad), what in _KNOWN.items():
        if (found := _version(name)) and SpecifierSet(bad).contains(found, prereleases=True):
            yield Finding("note", "packages", f"{name} {found} {what}", f"a version of {name} outside of {bad}")


def _conflicts(wanted: "list[Requirement]") -> Iterator[Finding]:
    """What packages that we ask for ask of others: torchvision, for one, goes with a single version of torch."""
    from packaging.requirements import InvalidRequirement, Requirement

    for ours in wanted:
        for line in (metadata.requires(ours.name) or ()) if _version(ours.name) else ():
            try:
                theirs = Requirement(line)
            except InvalidRequirement:  # old metadata have forms that nobody reads today
                continue
            if not _holds(theirs):
                continue
            found = _version(theirs.name)
            if found and theirs.specifier.contains(found, prereleases=True):
                continue
            has = f"{found} is installed" if found else "it is not installed"
            asks = f"{theirs.name} {theirs.specifier}".strip()
            mend = shlex.join(["pip", "install", str(ours), f"{theirs.name}{theirs.specifier}"])
            said = f"{ours.name} {_version(ours.name)} asks for {asks}; {has}"
            yield Finding("fault", "packages", said, mend)


def _holds(part: "Requirement", extra: str = "") -> bool:
    """Whether it is asked for on this machine."""
    return part.marker is None or part.marker.evaluate({"extra": extra})


def _version(name: str) -> str | None:
    """None where it is not installed, empty where its metadata are damaged."""
    try:
        return metadata.version(name) or ""
    except metadata.PackageNotFoundError:
        return None
    except Exception:  # whatever a file of somebody else's holds
        return ""
