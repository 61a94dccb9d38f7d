"""What the documents show is what is there."""

import subprocess
import textwrap
from pathlib import Path

import pytest

import bench
from bench import plugins
from bench.suite import loading

ROOT = Path(bench.__file__).parent.parent

pytestmark = pytest.mark.skipif(not (ROOT / "README.md").exists(), reason="only a checkout has its documents")


def test_the_approach_that_contributing_shows_is_the_catalogues() -> None:
    shown = (ROOT / "CONTRIBUTING.md").read_text().split("```python\n")[1].split("   ```")[0]
    assert textwrap.dedent(shown) == plugins.find("approaches", "l2_sp").path.read_text()


def test_contributing_points_at_approaches_that_are_there() -> None:
    rows = [line for line in (ROOT / "CONTRIBUTING.md").read_text().splitlines() if line.startswith("   | ")][2:]
    neighbours = [name.strip("` ") for row in rows for name in row.split("|")[3].split(",")]
    assert set(neighbours) <= set(plugins.names("approaches"))
    assert len(neighbours) > 8


@pytest.mark.parametrize("name", plugins.names("approaches"))
def test_the_readme_lists_every_approach(name: str) -> None:
    plugin = plugins.find("approaches", name)
    if plugin.module.startswith("bench."):
        summary = plugin.summary.rstrip(".").replace("``", "`")
        assert f"| `{name}` | {summary} |" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("path", loading.available(), ids=lambda path: path.stem)
def test_the_changelog_names_every_suite(path: Path) -> None:
    assert f"`{path.stem}`" in (ROOT / "CHANGELOG.md").read_text()


def test_what_is_committed_is_small() -> None:
    """Reference results with their reports, and all of it."""
    try:
        listed = subprocess.run(
            ["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no checkout of git")
    sizes = {name: (ROOT / name).stat().st_size for name in listed.split("\0") if (ROOT / name).is_file()}
    assert sum(size for name, size in sizes.items() if name.startswith(("results/", "reports/"))) < 12_000_000
    assert sum(sizes.values()) < 20_000_000
