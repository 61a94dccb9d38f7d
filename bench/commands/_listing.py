"""What ``bench list`` shows of plugins and suites."""

import json
import re
from typing import TYPE_CHECKING, Any

from bench.errors import PluginError
from bench.words import cut, suggest

if TYPE_CHECKING:
    from rich.console import Console

    from bench.plugins import Plugin

ABOUT = {
    "approaches": "ways of transferring a pretrained model; lora + augmentation composes two",
    "families": "kinds of models",
    "datasets": "domains to learn, and readers of your own files",
    "metrics": "what is measured of a model",
    "features": "spaces in which distances between samples mean something",
    "suites": "comparisons that are ready to run",
}
"""What there is to choose from."""

_LEAST_WHOLE = 70  # columns of one thing whole
_LEAST_TEXT = 20  # columns beside the names of a list
_STATED = ("MODALITY", "NEEDS", "OFFERS", "DECIDES", "PRIMARY", "EXTRA")  # of what modules state


def names(kind: str) -> list[str]:
    """Of all plugins of a kind, or of all suites."""
    from bench import plugins
    from bench.suite import loading

    return [path.stem for path in loading.available()] if kind == "suites" else plugins.names(kind)


def entries(kind: str) -> list[dict[str, str]]:
    """Name, summary and paper of all plugins of a kind, or of all suites."""
    from bench import plugins
    from bench.suite import loading, yaml_file

    if kind == "suites":
        paths = loading.available()
        return [{"name": path.stem, "summary": yaml_file.read(path).get("description", "")} for path in paths]
    listed = plugins.available(kind)
    return [{"name": plugin.name, "summary": plugin.summary, "paper": plugin.paper} for plugin in listed]


def show(found: dict[str, list[dict[str, str]]]) -> None:
    """One line or more for each."""
    from rich.table import Table
    from rich.text import Text

    console = _console()
    longest = max((len(entry["name"]) for listed in found.values() for entry in listed), default=0)
    console.width = max(console.width, longest + _LEAST_TEXT)  # a terminal may break a line, but no name is cut off
    for kind, listed in found.items():
        grid = Table(title=kind, title_justify="left", title_style="bold", box=None, show_header=False, pad_edge=False)
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for entry in listed:
            about = Text(" ".join(entry["summary"].split()))
            if entry.get("paper"):
                about.append(f"\n{entry['paper']}", style="dim")
            grid.add_row(Text(entry["name"], style="cyan"), about)
        console.print(grid, Text())


def whole(name: str) -> list[dict[str, Any]]:
    """All that can be known of what has a name, whichever its kind; :class:`PluginError` where nothing has it."""
    from bench import plugins
    from bench.suite import loading, yaml_file

    found = [_whole(plugins.find(kind, name)) for kind in plugins.KINDS if name in plugins.names(kind)]
    for path in loading.available():
        if path.stem == name:
            text = " ".join(str(yaml_file.read(path).get("description", "")).split())
            text += f"\n\n- bench plan {name}   what it would do\n- bench run {name}    do it"
            found.append({"kind": "suite", "name": name, "text": text, "where": str(path)})
    if not found:
        first, *others = ABOUT
        known = [*ABOUT, *(one for kind in ABOUT for one in names(kind))]
        hint = suggest(name, known) or f"see `bench list {first}`, or {', '.join(others)}"
        raise PluginError(f"nothing is called {cut(name, 100)!r}; {hint}")
    return found


def _whole(plugin: "Plugin") -> dict[str, Any]:
    from bench import plugins

    options = {
        name: {"type": kind, "about": plugin.option_docs.get(name, "")}
        | ({"default": plugin.defaults[name]} if name in plugin.defaults else {})
        for name, kind in plugin.annotations.items()
    }
    stated = {name: plugin.constants[name] for name in _STATED if name in plugin.constants}
    stated = {name: sorted(value) if isinstance(value, tuple | list | set) else value for name, value in stated.items()}
    found = {"kind": plugins.singular(plugin.kind), "name": plugin.name, "text": plugin.text, "options": options}
    return found | {"paper": plugin.paper, "states": stated, "where": str(plugin.path)}


def show_whole(found: list[dict[str, Any]]) -> None:
    """One after another, as prose and a table of options."""
    from rich.table import Table
    from rich.text import Text

    console = _console()
    console.width = max(console.width, _LEAST_WHOLE)
    for one in found:
        console.print(Text.assemble((one["name"], "bold cyan"), f"  {one['kind']}\n"))
        console.print(Text(_plain(one["text"])), Text(), sep="\n")
        if one.get("options"):
            grid = Table(box=None, pad_edge=False, header_style="bold")
            for column in ("option", "type", "default", ""):
                grid.add_column(column, overflow="fold")
            for name, option in one["options"].items():
                given = "default" not in option
                default = "(must be given)" if given else json.dumps(option["default"], ensure_ascii=False)
                grid.add_row(
                    Text(name, style="cyan"), Text(option["type"]), Text(default), Text(_plain(option["about"]))
                )
            console.print(grid, Text(), sep="\n")
        if one.get("paper"):
            console.print(Text(f"Paper: {one['paper']}\n"))
        for name, value in one.get("states", {}).items():
            said = ", ".join(value) if isinstance(value, list) else str(value)
            console.print(Text(f"{name.lower().replace('_', ' ')}: {said}"))
        console.print(Text(f"source: {one['where']}", style="dim"), soft_wrap=True)


def _plain(text: str) -> str:
    """A docstring without its markup, and without its line breaks where they are none of its own."""
    flowing = re.sub(r"(?<!\n)\n(?![\n\-*: ])", " ", text)
    return re.sub(r":\w+:`~?([^`]*)`", r"\1", flowing).replace("``", "`")


def _console() -> "Console":
    from rich.console import Console

    return Console(highlight=False)
