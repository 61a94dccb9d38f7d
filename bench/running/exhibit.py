"""The first samples of a cell, written beside its record in a form that people look at, listen to or read."""

import io
import wave
from pathlib import Path
from typing import Any

import numpy as np

from bench.evaluation import Evaluation
from bench.results import files

KEPT = 64
"""Samples of a cell that are kept; of sounds :data:`SOUNDS`."""

SOUNDS = 4

_COLUMNS = 8  # of a grid
_TILE = 160  # pixels of a drawn molecule


def write(evaluation: Evaluation, folder: Path) -> None:
    """Texts as JSON, images and molecules as one lossless grid, eight to a row, sounds as WAV; and what was asked for.

    ``conditions.json`` or ``conditions.png`` hold that, in the same order, where the family is conditional.
    """
    offers, samples = evaluation.model.offers, evaluation.samples[:KEPT]
    if "audio" in offers:
        for number, sound in enumerate(samples[:SOUNDS], start=1):
            _write(folder / f"samples-{number}.wav", wav(sound, evaluation.data.sample_rate))
    elif "molecule" in offers:
        files.write_json(folder / "samples.json", list(samples))
        _write(folder / "samples.png", drawn_molecules(samples))
    else:
        _plainly(folder, "samples", samples)
    for column in [] if evaluation.conditions is None else evaluation.conditions.names:
        _plainly(folder, "conditions", evaluation.conditions[column][:KEPT])  # type: ignore[index]


def _plainly(folder: Path, name: str, items: Any) -> None:
    if isinstance(items, np.ndarray):
        _write(folder / f"{name}.png", grid(items))
    else:
        files.write_json(folder / f"{name}.json", list(items))


def _write(path: Path, content: bytes) -> None:
    files.write_atomically(path, lambda partial: partial.write_bytes(content))


def grid(images: np.ndarray) -> bytes:
    """Images, uint8 of shape (items, height, width, channels), as one PNG; those that fill no row are left out."""
    from PIL import Image

    count, height, width, channels = images.shape
    columns = min(_COLUMNS, count)
    rows = images[: count - count % columns].reshape(-1, columns, height, width, channels)
    tiled = rows.transpose(0, 2, 1, 3, 4).reshape(len(rows) * height, -1, channels)
    buffer = io.BytesIO()
    Image.fromarray(tiled[..., 0] if channels == 1 else tiled).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def wav(sound: np.ndarray, sample_rate: int) -> bytes:
    """One sound, int16 of shape (samples,), as a WAV file."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(np.ascontiguousarray(sound, dtype="<i2").tobytes())
    return buffer.getvalue()


def drawn_molecules(smiles: list[str]) -> bytes:
    """Molecules as one PNG; what is no molecule is an empty place with a cross."""
    from PIL import Image
    from rdkit import Chem, rdBase
    from rdkit.Chem import Draw

    tiles = []
    with rdBase.BlockLogs():
        for text in smiles:
            molecule = Chem.MolFromSmiles(text) if text else None
            tile = Image.new("RGB", (_TILE, _TILE), "white")
            if molecule is not None and molecule.GetNumAtoms():
                tile = Draw.MolToImage(molecule, size=(_TILE, _TILE)).convert("RGB")
            else:
                _cross(tile)
            tiles.append(np.asarray(tile))
    return grid(np.stack(tiles))


def _cross(tile: Any) -> None:
    from PIL import ImageDraw

    low, high = _TILE * 3 // 8, _TILE * 5 // 8
    for ends in ((low, low, high, high), (low, high, high, low)):
        ImageDraw.Draw(tile).line(ends, fill=(190, 60, 60), width=3)
