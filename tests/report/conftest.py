"""One run and its report for all tests of the report."""

from pathlib import Path

import pytest

from bench import report
from tests.report.runs import make_run


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="session")
def page(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report.build(run, tmp_path_factory.mktemp("reports")).page
