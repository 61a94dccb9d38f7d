"""A checkpoint of every family, made once."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bench import plugins
from bench.suite.cell import ModelSpec
from tests.models import model_of, saved, small


class Checkpoints(Mapping[str, ModelSpec]):
    """Family to a small pretrained model on disk, made when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: dict[str, ModelSpec] = {}

    def __getitem__(self, family: str) -> ModelSpec:
        if family not in self.made:
            folder = saved(model_of(family), self.folder / family)
            known = {"family": family, "checkpoint": str(folder), "options": small(family).OPTIONS}
            self.made[family] = ModelSpec(**known)
        return self.made[family]

    def __iter__(self) -> Iterator[str]:
        return iter(plugins.names("families"))

    def __len__(self) -> int:
        return len(plugins.names("families"))


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Checkpoints:
    return Checkpoints(tmp_path_factory.mktemp("checkpoints"))
