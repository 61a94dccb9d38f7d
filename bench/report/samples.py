"""The samples of all approaches side by side, from one seed: texts, or image grids cut to what a page can hold."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import results
from bench.report import tables
from bench.report.sections import Section

_COLUMNS = 8  # of the grid that the runner writes
_TEXTS, _CHARACTERS = 3, 220
_ROWS, _PIXELS = 4, 256


@dataclass(frozen=True)
class Grid:
    """An image as a data address, and the size it is shown at: a multiple of its own, so that pixels stay square."""

    address: str
    width: int
    height: int


@dataclass(frozen=True)
class Specimen:
    """What one approach made: some texts, or a grid of images, or why there is nothing."""

    approach: str
    control: str
    texts: list[str]
    grid: Grid | None
    note: str


@dataclass(frozen=True)
class Gallery:
    """One data size and one seed, all approaches. What uses no target data stands in every gallery."""

    size: int
    seed: int
    specimens: list[Specimen]


def galleries(run: Path, section: Section, records: list[dict[str, Any]]) -> list[Gallery]:
    """Galleries for the smallest and the largest data size; none where nothing was sampled.

    Args:
        run: the run's folder.
        section: says which approaches there are.
        records: those of the section.
    """
    found = []
    for size in dict.fromkeys((section.sizes[0], section.sizes[-1])):
        here = [record for record in records if record["asked"]["data_size"] in (0, size)]
        seed = min(record["asked"]["seed"] for record in here)
        specimens = _specimens(run, section, [record for record in here if record["asked"]["seed"] == seed])
        if any(specimen.texts or specimen.grid for specimen in specimens):
            found.append(Gallery(size, seed, specimens))
    return found


def _specimens(run: Path, section: Section, records: list[dict[str, Any]]) -> list[Specimen]:
    by_approach = {record["asked"]["approach"]: record for record in records}
    return [
        _specimen(run, by_approach[name], control)
        for name, control in section.approaches.items()
        if name in by_approach
    ]


def _specimen(run: Path, record: dict[str, Any], control: str) -> Specimen:
    folder = results.record_path(run, record["cell"]).with_suffix("")
    approach, status = record["asked"]["approach"], record["happened"]["status"]
    texts: list[str] = []
    grid = None
    if status == "ok" and (folder / "samples.json").exists():
        texts = [shortened(text) for text in results.read_json(folder / "samples.json")[:_TEXTS]]
    elif status == "ok" and (folder / "samples.png").exists():
        wanted = record["asked"]["definition"]["evaluation"]["samples"]
        grid = _cut(folder / "samples.png", columns=min(_COLUMNS, wanted))
    note = tables.STATUS_WORDS.get(status, status) if status != "ok" else "" if texts or grid else "no samples"
    return Specimen(approach, control, texts, grid, note)


def shortened(text: str) -> str:
    """The beginning of a text; ``…`` says that there is more."""
    return text if len(text) <= _CHARACTERS else text[:_CHARACTERS].rstrip() + " …"


def _cut(path: Path, columns: int) -> Grid:
    """The first rows of the grid, and as many columns as fit: the same places for every approach."""
    from PIL import Image

    with Image.open(path) as image:
        tile = image.width // columns
        shown = max(1, min(columns, _PIXELS // tile))
        part = image.crop((0, 0, shown * tile, min(image.height, _ROWS * tile)))
        buffer = io.BytesIO()
        part.save(buffer, "PNG", optimize=True)
    scale = max(1, _PIXELS // part.width)
    return Grid(data_address(buffer.getvalue(), "image/png"), scale * part.width, scale * part.height)


def data_address(content: bytes, kind: str) -> str:
    """Bytes as an address that a page can hold within itself."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
