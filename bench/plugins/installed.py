"""Entry points that installed distributions have for us, read one by one: a broken one takes nobody else along."""

import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import Distribution, EntryPoint, distributions
from pathlib import Path
from typing import Any, NamedTuple

from bench.words import cut

_GROUP = "bench."
_NAME = re.compile(r"[A-Za-z0-9_-]+")  # what can be part of a composition, and stand before an option


class Entry(NamedTuple):
    """What a distribution calls a plugin, and where that is.

    Attributes:
        kind: ``approaches``, ``families`` …
        name: of the plugin there.
        module, attribute: where it is.
        distribution: its name, in the form that indices have it: lower case, dashes.
    """

    kind: str
    name: str
    module: str
    attribute: str
    distribution: str

    @property
    def full_name(self) -> str:
        """``distribution:name``, under which it can be reached whoever else has that name."""
        return f"{self.distribution}:{self.name}"


def entries(kind: str) -> list[Entry]:
    """What there is of a kind, by distribution."""
    found = [entry for entry in _scan(tuple(sys.path))[0] if entry.kind == kind]
    return sorted(found, key=lambda entry: entry.full_name)


def faults() -> list[str]:
    """A line for each distribution, or entry of one, that cannot be read."""
    return list(_scan(tuple(sys.path))[1])


def forget() -> None:
    """Look again: something was installed."""
    _scan.cache_clear()


@cache
def _scan(path: tuple[str, ...]) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    found: dict[tuple[str, str, str], Entry] = {}
    wrong: list[str] = []
    seen: set[str] = set()
    for distribution in distributions(path=list(path)):
        try:
            text = distribution.read_text("entry_points.txt") or ""
        except Exception as error:  # whatever a file of somebody else's holds
            wrong.append(f"distribution {_called(distribution)}: its entry points cannot be read ({error}); {_REMEDY}")
            continue
        if _GROUP not in text or (name := _called(distribution)) in seen:  # an older one, further down the path
            continue
        seen.add(name)
        for group, line in _lines(text):
            entry = _entry(group, line, name)
            if isinstance(entry, str):
                wrong.append(f"distribution {name}: {entry}; {_REMEDY}")
            else:
                found.setdefault((entry.kind, entry.name, name), entry)
    return tuple(found.values()), tuple(dict.fromkeys(wrong))


_REMEDY = "mend or uninstall it"


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """(kind, line) of the groups that are ours."""
    group = ""
    for line in map(str.strip, text.split("\n")):
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1].strip()
        elif line and line[0] not in "#;" and group.startswith(_GROUP):
            yield group.removeprefix(_GROUP), line


def _entry(kind: str, line: str, distribution: str) -> Entry | str:
    """An entry, or what is wrong with it."""
    name, _, value = (part.strip() for part in line.partition("="))
    if not _NAME.fullmatch(name):
        return f"{cut(name, 60)!r} is no name for one of its {kind}"
    point = EntryPoint(name, value, f"{_GROUP}{kind}")
    try:
        return Entry(kind, name, point.module, point.attr or name, distribution)
    except AttributeError:  # which is how an entry point says that its value is none
        return f"{cut(value, 60)!r} is no place of {name} of its {kind}; it should be module:name"


def _called(distribution: Distribution) -> str:
    """Its name; that of its folder where its metadata are broken."""
    name: Any = None
    try:
        name = distribution.metadata["Name"]
    except Exception:  # missing, not text, not UTF-8
        name = None
    folder = Path(str(getattr(distribution, "_path", "unknown"))).stem
    return re.sub(r"[-_.]+", "-", name if isinstance(name, str) and name else folder.partition("-")[0]).lower()
