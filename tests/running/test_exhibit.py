"""Samples as files that people look at, listen to or read."""

import io
import json
import wave
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bench.dataset import Columns
from bench.running import exhibit
from tests.metrics.doubles import NoisyPictures, evaluation
from tests.models import pictures


def made(offers: set[str], samples: Any, conditions: Columns | None = None) -> Any:
    model, data = SimpleNamespace(offers=frozenset(offers)), SimpleNamespace(sample_rate=8000)
    return SimpleNamespace(model=model, data=data, samples=samples, conditions=conditions)


def test_images_are_one_lossless_grid_of_eight_in_a_row(tmp_path: Path) -> None:
    some = evaluation(NoisyPictures(), pictures(20), samples=20)
    drawn = some.samples
    exhibit.write(some, tmp_path)
    grid = np.asarray(Image.open(tmp_path / "samples.png"))
    height, width = drawn.shape[1:3]
    assert grid.shape[:2] == (2 * height, 8 * width)
    assert (grid[height:, width : 2 * width] == drawn[9].squeeze(-1)).all()


def test_fewer_than_a_row_are_all_shown() -> None:
    grid = np.asarray(Image.open(io.BytesIO(exhibit.grid(np.zeros((3, 4, 5, 3), np.uint8)))))
    assert grid.shape == (4, 15, 3)


def test_sounds_are_kept_sample_by_sample(tmp_path: Path) -> None:
    sounds = np.random.default_rng(0).integers(-(2**15), 2**15, (6, 100)).astype(np.int16)
    exhibit.write(made({"audio"}, sounds), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"samples-{i}.wav" for i in range(1, 5)]
    with wave.open(str(tmp_path / "samples-2.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        assert (np.frombuffer(file.readframes(100), "<i2") == sounds[1]).all()


def test_molecules_are_drawn_and_what_is_none_is_crossed_out(tmp_path: Path) -> None:
    pytest.importorskip("rdkit")
    exhibit.write(made({"molecule"}, ["c1ccccc1O", "C1CC", "", "CCO"]), tmp_path)
    grid = np.asarray(Image.open(tmp_path / "samples.png"))
    side = grid.shape[0]
    benzene, broken, empty, ethanol = (grid[:, i * side : (i + 1) * side] for i in range(4))
    assert (broken == empty).all()
    assert all((tile < 255).any() for tile in (benzene, broken, ethanol))
    assert json.loads((tmp_path / "samples.json").read_text()) == ["c1ccccc1O", "C1CC", "", "CCO"]


def test_what_was_asked_for_lies_beside(tmp_path: Path) -> None:
    captions = Columns({"caption": ["an A", "a B"]})
    exhibit.write(made({"image"}, np.zeros((2, 4, 4, 1), np.uint8), captions), tmp_path)
    assert json.loads((tmp_path / "conditions.json").read_text()) == ["an A", "a B"]
    sources = Columns({"source": np.ones((2, 4, 4, 1), np.uint8)})
    exhibit.write(made({"image"}, np.zeros((2, 4, 4, 1), np.uint8), sources), tmp_path)
    assert np.asarray(Image.open(tmp_path / "conditions.png")).shape == (4, 8)
