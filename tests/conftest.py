"""What all tests share: a cache folder, plugins that misbehave, a finished run."""

import os
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import plugins
from bench.plugins import installed as installed_plugins
from tests import tiny
from tests.distributions import distribution


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where datasets and pretrained models of the tests are kept; ``TRANSFERBENCH_TEST_CACHE`` keeps them for the next.

    Processes that tests start inherit it.
    """
    kept = os.environ.get("TRANSFERBENCH_TEST_CACHE")
    folder = Path(kept).absolute() if kept else tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSFERBENCH_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def awkward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An installed distribution of the approaches in ``endings.py`` and the metrics in ``clocks.py``.

    Worker processes find it too: they get this process's ``sys.path``.
    """
    folder = tmp_path_factory.mktemp("awkward")
    groups = {"approaches": "endings", "metrics": "clocks"}
    lines = []
    for group, module in groups.items():
        source = shutil.copy(Path(__file__).parent / f"{module}.py", folder)
        names = [line[4:].partition("(")[0] for line in Path(source).read_text().splitlines() if line[:4] == "def "]
        lines += [f"[bench.{group}]", *(f"{name} = {module}:{name}" for name in names)]
    about = folder / "awkward-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: awkward\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield folder


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run with every kind of score; not to be changed."""
    metrics = ["perplexity", "diversity", "cost", {"inference": {"repetitions": 2, "warmup": 1}}]
    suite = tiny.write(tmp_path_factory.mktemp("finished"), seeds=[0, 1], metrics=metrics)
    return tiny.run(suite, workers=2)


@pytest.fixture
def fresh() -> Iterator[None]:
    """Nothing is remembered of plugins of another test."""
    for forget in (plugins.find.cache_clear, installed_plugins.forget):
        forget()
    yield
    for forget in (plugins.find.cache_clear, installed_plugins.forget):
        forget()


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh: None) -> Path:
    """The example distribution, as an installer leaves it: its packages and its metadata on the path."""
    example = Path(__file__).parent / "example_plugin"
    project = tomllib.loads((example / "pyproject.toml").read_text())["project"]
    site = tmp_path / "site"
    groups = project["entry-points"]
    lines = [line for group in groups for line in (f"[{group}]", *(f"{k} = {v}" for k, v in groups[group].items()))]
    distribution(site, "transferbench_example", "\n".join(lines))
    for folder in (example / "src", site):
        monkeypatch.syspath_prepend(folder)
    return tmp_path
