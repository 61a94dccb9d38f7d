"""The samples of all approaches side by side, from one seed: texts, sounds, or grids cut to what a page can hold."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import results
from bench.report import aggregate, tables
from bench.report.sections import Section

_COLUMNS = 8  # of the grid that the runner writes
_TEXTS, _CHARACTERS = 3, 220
_ROWS, _PIXELS = 4, 256
_SOUND = 1 << 20  # bytes of a sound that a page holds, at most


@dataclass(frozen=True)
class Grid:
    """An image as a data address, and the size it is shown at: a multiple of its own, so that pixels stay square."""

    address: str
    width: int
    height: int


@dataclass(frozen=True)
class Specimen:
    """What one approach made: texts, a grid of pictures, or sounds as data addresses; or why there is nothing."""

    approach: str
    control: str
    texts: list[str]
    grid: Grid | None
    sounds: list[str]
    note: str


@dataclass(frozen=True)
class Gallery:
    """One data size and one seed, all approaches. What uses no target data stands in every gallery.

    ``given`` is what a conditional model was asked for, the same for all that learned; None where there is nothing.
    """

    size: int
    seed: int
    specimens: list[Specimen]
    given: Specimen | None


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
        shown = [record for record in here if record["asked"]["seed"] == seed]
        specimens = _specimens(run, section, shown)
        if any(specimen.texts or specimen.grid or specimen.sounds for specimen in specimens):
            found.append(Gallery(size, seed, specimens, _given(run, section, shown)))
    return found


def _specimens(run: Path, section: Section, records: list[dict[str, Any]]) -> list[Specimen]:
    by_approach = {record["asked"]["approach"]: record for record in records}
    return [
        _specimen(run, by_approach[name], control)
        for name, control in section.approaches.items()
        if name in by_approach
    ]


def _given(run: Path, section: Section, records: list[dict[str, Any]]) -> Specimen | None:
    """The conditions of the first that did not bring its own, as real examples do."""
    for record in records:
        folder = results.record_path(run, record["cell"]).with_suffix("")
        known = section.approaches.get(record["asked"]["approach"]) not in aggregate.REAL
        if known and any((folder / f"conditions.{kind}").exists() for kind in ("json", "png")):
            return _shown(folder, "conditions", record, "given", "")
    return None


def _specimen(run: Path, record: dict[str, Any], control: str) -> Specimen:
    folder = results.record_path(run, record["cell"]).with_suffix("")
    approach, status = record["asked"]["approach"], record["happened"]["status"]
    if status != "ok":
        return Specimen(approach, control, [], None, [], tables.STATUS_WORDS.get(status, status))
    return _shown(folder, "samples", record, approach, control)


def _shown(folder: Path, name: str, record: dict[str, Any], title: str, control: str) -> Specimen:
    """What lies in the folder under a name; molecules are there as texts too, and the page shows their picture."""
    texts, grid = list[str](), None
    if (folder / f"{name}.png").exists():
        wanted = record["asked"]["definition"]["evaluation"]["samples"]
        grid = _cut(folder / f"{name}.png", columns=min(_COLUMNS, wanted))
    elif (folder / f"{name}.json").exists():
        texts = [shortened(text) for text in results.read_json(folder / f"{name}.json")[:_TEXTS]]
    sounds = [
        data_address(path.read_bytes(), "audio/wav")
        for path in sorted(folder.glob(f"{name}-*.wav"))[:_TEXTS]
        if path.stat().st_size <= _SOUND
    ]
    return Specimen(title, control, texts, grid, sounds, "" if texts or grid or sounds else "no samples")


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
