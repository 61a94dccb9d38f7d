"""Show what there is to choose from: kinds, all of a kind, or one plugin whole."""

import argparse
import json
from collections.abc import Iterable
from typing import Any

from bench.commands import _listing, _matrix, _saying
from bench.errors import PluginError
from bench.words import cut


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to show."""
    name: Any = parser.add_argument(
        "name", nargs="?", metavar="NAME", help=f"{', '.join(_listing.ABOUT)}; or the name of one"
    )
    name.completer = _names
    parser.add_argument("--matrix", action="store_true", help="which approach has a meaning for which family")
    parser.add_argument("--json", action="store_true", help="print JSON for scripts")


def call(chosen: argparse.Namespace) -> int:
    """Always 0; a name that nothing has is bad input."""
    from bench import plugins

    _saying.tell(plugins.faults())
    if chosen.matrix and chosen.name:
        raise PluginError(f"--matrix shows all approaches and families; leave out {cut(chosen.name, 100)!r}")
    if chosen.matrix:
        found: Any = _matrix.found()
        show: Any = _matrix.show
    elif chosen.name is None:
        found = {kind: _listing.entries(kind) for kind in _listing.ABOUT} if chosen.json else None
        show = _show_kinds
    elif chosen.name in _listing.ABOUT:
        found = {chosen.name: _listing.entries(chosen.name)}
        show = _listing.show
    else:
        found = _listing.whole(chosen.name)
        show = _listing.show_whole
    if chosen.json:
        print(json.dumps(found))
    else:
        show(found)
    return 0


def _show_kinds(_: None) -> None:
    for kind, about in _listing.ABOUT.items():
        print(f"{kind:12}{len(_listing.names(kind)):4}  {about}")
    print("\nbench list approaches   all of a kind")
    print("bench list lora         one whole: what it does, its options, its paper, what it needs")
    print("bench list --matrix     which approach has a meaning for which family")


def _names(**_: Any) -> Iterable[str]:
    """For a shell."""
    return [*_listing.ABOUT, *(name for kind in _listing.ABOUT for name in _listing.names(kind))]
