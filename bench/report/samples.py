"""The samples of all approaches side by side, from one seed: texts, sounds, or grids cut to what a page can hold."""

import base64
import io
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from bench.report import aggregate, tables
from bench.report.sections import Section
from bench.results import files, runs

COLUMNS, ROWS = 8, 4
"""Of the grid that the runner writes, and of its rows those that a page shows."""

_TEXTS, _CHARACTERS = 3, 220
_PIXELS = 256
_SOUND = 1 << 20  # bytes of a sound that a page holds, at most
_SAFE = " !$()*+,-./:;=?@[]_~'"


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


def galleries(run: runs.Found, section: Section, records: list[dict[str, Any]]) -> list[Gallery]:
    """Galleries for the smallest and the largest data size; none where nothing was sampled.

    Args:
        run: what the run's folder holds; damaged files are noted there.
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


def _specimens(run: runs.Found, section: Section, records: list[dict[str, Any]]) -> list[Specimen]:
    by_approach = {record["asked"]["approach"]: record for record in records}
    return [
        specimen(run, by_approach[name], control) for name, control in section.approaches.items() if name in by_approach
    ]


def _given(run: runs.Found, section: Section, records: list[dict[str, Any]]) -> Specimen | None:
    """The conditions of the first that did not bring its own, as real examples do."""
    learned = (one for one in records if section.approaches.get(one["asked"]["approach"]) not in aggregate.REAL)
    return next((found for record in learned if (found := given(run, record))), None)


def given(run: runs.Found, record: dict[str, Any]) -> Specimen | None:
    """What a cell's model was asked for; None where it was not asked for anything."""
    there = {"conditions.json", "conditions.png"} & set(run.cells.beside(record["cell"]))
    return _shown(run, "conditions", record, "given", "") if there else None


def specimen(run: runs.Found, record: dict[str, Any], control: str = "") -> Specimen:
    """What one cell made, or why there is nothing.

    Args:
        run: what the run's folder holds; damaged files are noted there.
        record: the cell's.
        control: which control its approach is.
    """
    approach, status = record["asked"]["approach"], record["happened"]["status"]
    if status != "ok":
        return Specimen(approach, control, [], None, [], tables.STATUS_WORDS.get(status, status))
    return _shown(run, "samples", record, approach, control)


def is_sampled(run: runs.Found, cell: str) -> bool:
    """Whether samples lie beside a cell's record."""
    return any(file.partition(".")[0].partition("-")[0] == "samples" for file in run.cells.beside(cell))


def _shown(run: runs.Found, name: str, record: dict[str, Any], title: str, control: str) -> Specimen:
    """What lies beside the record under a name; molecules are there as texts too, and the page shows their picture."""
    texts, grid, sounds, nothing = list[str](), None, list[str](), "no samples"
    there = run.cells.beside(record["cell"])
    picture, words = f"{name}.png", f"{name}.json"
    heard = [file for file in there if file.startswith(f"{name}-") and file.endswith(".wav")]
    for file in [picture] if picture in there else [words] if words in there else heard[:_TEXTS]:
        try:
            content = run.cells.content(record["cell"], file) or b""
            if file == picture:
                wanted = record["asked"].get("definition", {}).get("evaluation", {}).get("samples", COLUMNS)
                grid = _cut(content, columns=min(COLUMNS, wanted))
            elif file == words:
                texts = _texts(content)
            elif len(content) <= _SOUND:
                sounds.append(data_address(content, "audio/wav"))
            else:
                nothing = "too long for a page"
        except Exception as error:  # whatever a library says of a damaged picture
            run.note(f"cells/{record['cell']}/{file}", error)
            return Specimen(title, control, [], None, [], f"damaged: {file}")
    return Specimen(title, control, texts, grid, sounds, "" if texts or grid or sounds else nothing)


def _texts(content: bytes) -> list[str]:
    texts = files.parsed_text(content)
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError("it should be a list of texts")
    return [shortened(text) for text in texts[:_TEXTS]]


def shortened(text: str) -> str:
    """The beginning of a text; ``…`` says that there is more."""
    return text if len(text) <= _CHARACTERS else text[:_CHARACTERS].rstrip() + " …"


def _cut(content: bytes, columns: int) -> Grid:
    """The first rows of the grid, and as many columns as fit: the same places for every approach."""
    from PIL import Image, UnidentifiedImageError

    try:
        opened = Image.open(io.BytesIO(content))
    except UnidentifiedImageError:  # whose own words hold an address in memory
        raise ValueError("no picture that can be read") from None
    with opened as image:
        if not (tile := image.width // columns):
            raise ValueError(f"{image.width} pixels are too few for {columns} columns")
        shown = max(1, min(columns, _PIXELS // tile))
        part = image.crop((0, 0, shown * tile, min(image.height, ROWS * tile)))
        buffer = io.BytesIO()
        part.save(buffer, "PNG", optimize=True)
    scale = max(1, _PIXELS // part.width)
    return Grid(data_address(buffer.getvalue(), "image/png"), scale * part.width, scale * part.height)


def data_address(content: bytes, kind: str) -> Markup:
    """Bytes as an address that a page can hold within itself, between double quotes."""
    if kind == "image/svg+xml":  # a text, of which little has to be escaped: a third shorter than base64
        text = content.decode()
        said = quote(text if "'" in text else text.replace('"', "'"), safe=_SAFE)
    else:
        kind, said = f"{kind};base64", base64.b64encode(content).decode()
    return Markup(f"data:{kind},{said}")  # noqa: S704 - neither way of saying it leaves anything that has to be escaped
