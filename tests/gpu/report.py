"""What was found: a page to read, and files to compute with; each names the machine, the versions and the commit."""

import math
import re
from pathlib import Path
from typing import Any

from bench.results import files

_SMALL = "**Small.** Sizes are those of a CPU, to show that everything runs: no figure here says anything of this GPU."
_NO_GPU = (
    "**This machine has no GPU.** Sizes are as small as can be, to show that everything runs: no figure here says "
    "anything of a GPU, or of this CPU."
)


def write(into: Path, machine: dict[str, Any], parts: dict[str, dict[str, Any]], limit: float) -> None:
    """``README.md``, and one JSON file for each part."""
    for name, part in parts.items():
        files.write_json(into / f"{name}.json", {"part": name, **part, "machine": machine})
    files.write_atomically(into / "README.md", lambda path: path.write_text(page(machine, parts, limit)))


def page(machine: dict[str, Any], parts: dict[str, dict[str, Any]], limit: float) -> str:
    took = sum(part.get("seconds", 0.0) for part in parts.values())
    lines = [f"# transferbench on {machine['accelerator'] or machine['machine']['processor']}", ""]
    lines += [] if not machine["small"] else [_SMALL if machine["device"] == "cuda" else _NO_GPU, ""]
    lines += [f"`python -m tests.gpu`, {machine['when']}: {took:.0f} s in all, of at most {limit:.0f}.", ""]
    lines += [*_table([{"": key, "value": value} for key, value in _facts(machine)]), ""]
    columns = ("ended", "seconds", "why")
    lines += _table([{"part": name} | {key: part.get(key, "") for key in columns} for name, part in parts.items()])
    for name, part in parts.items():
        lines += ["", f"## {name}", "", part.get("about", "")]
        lines += ["", *(f"- {said}" for said in part.get("said", []))] if part.get("said") else []
        for title, rows in part.get("tables", {}).items():
            lines += ["", f"**{title}**", "", *_table(rows)]
    return "\n".join(lines).rstrip() + "\n"


def _facts(machine: dict[str, Any]) -> list[tuple[str, str]]:
    computer = machine["machine"]
    gpu = [(key, str(value)) for key, value in machine.get("gpu", {}).items()]
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    return [
        *gpu,
        ("precision", machine["precision"]),
        ("processor", f"{computer['processor']}, {computer['cores']} cores, {computer['memory_gib']} GiB"),
        ("system", f"{computer['system']}, machine {computer['id']}"),
        ("Python", machine["python"]),
        ("packages", packages),
        ("commit", machine["commit"] or "not known"),
    ]


def _table(rows: list[dict[str, Any]]) -> list[str]:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = [columns, ["---:" if _is_numeric(rows, column) else "---" for column in columns]]
    lines += [[_cell(row.get(column, "")) for column in columns] for row in rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _is_numeric(rows: list[dict[str, Any]], column: str) -> bool:
    return all(isinstance(row.get(column), int | float | None) for row in rows)


def _cell(value: Any) -> str:
    """Four digits of a number, and a text in one line."""
    if value is None:
        return "–"
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        digits = max(0, 3 - math.floor(math.log10(abs(value)))) if value else 0
        return f"{value:.{digits}f}" if digits <= 6 else f"{value:.2e}"
    return re.sub(r"\s+", " ", str(value)).replace("|", "\\|")
