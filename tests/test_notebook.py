"""From a notebook: a real kernel trains, shows how far it is, gives the table back, and can be interrupted."""

import ast
import asyncio
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.results import tidy
from tests import tiny
from tests.running.test_runner_stopped import SLOW, has_begun, wait_for

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")

pytestmark = pytest.mark.filterwarnings("default:::jupyter_client", "default:::jupyter_core", "default:::zmq")

PATIENCE = 300  # seconds a cell may take on a busy machine
RUN = "import bench\nbench.run('tiny.yaml', workers=2, reports_folder={reports!r})"


@contextmanager
def notebook(folder: Path, *sources: str) -> Iterator[Any]:
    """A client with a kernel of its own, at home in ``folder``, whose cells are not run yet."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    client = nbclient.NotebookClient(
        nbformat.v4.new_notebook(cells=cells), timeout=PATIENCE, allow_errors=True, kernel_name="python3"
    )
    with client.setup_kernel(cwd=str(folder), env=tiny.environment()):
        yield client


def outputs(client: Any, index: int) -> list[dict[str, Any]]:
    """Those of one cell, run now."""
    return [dict(output) for output in client.execute_cell(client.nb.cells[index], index).outputs]


def is_readable(text: str) -> bool:
    """Without codes that move a cursor or colour anything."""
    return not re.search(r"[\x00-\x08\x0b-\x1f]", text)


def test_a_cell_trains_shows_bars_and_gives_the_table(awkward: Path, tmp_path: Path) -> None:
    tiny.write(tmp_path, approaches=["full_finetuning", "meaningless"])
    with notebook(tmp_path, RUN.format(reports="reports"), "_.shape") as client:
        progress, table = outputs(client, 0)
        (shape,) = outputs(client, 1)
    assert progress["output_type"] == "display_data", "one output that is written anew, and no other"
    shown = progress["data"]["text/plain"]
    assert is_readable(shown)
    assert [re.sub(r"\s*[━╸╺]+\s*", " ", line).partition(" 0:")[0] for line in shown.splitlines()] == [
        "– python_reference-meaningless-n4-s0: not_applicable: a language model has no wings",
        "datasets 2/2",
        "base models 1/1",
        "cells 6/6",
    ]
    assert progress["data"]["text/html"] == f"<pre>{shown}</pre>"
    folder = tiny.latest(tmp_path / "tiny.yaml")
    expected = tidy.read(folder)
    assert table["output_type"] == "execute_result"
    assert expected.shape == ast.literal_eval(shape["data"]["text/plain"])
    assert "<th>metric</th>" in table["data"]["text/html"]
    assert (
        table["data"]["text/html"].count("<td>full_finetuning</td>")
        == (expected["approach"] == "full_finetuning").sum()
    )
    assert set(expected["status"]) == {"ok", "not_applicable"}
    assert (tmp_path / "reports" / "tiny" / folder.name / "index.html").exists()


def test_an_interrupted_cell_leaves_no_worker_and_the_next_goes_on(awkward: Path, tmp_path: Path) -> None:
    path = tiny.write(tmp_path, **SLOW)
    start = "import os; print(os.getpid())"
    again = RUN.format(reports=None)
    with notebook(tmp_path, start, again, again) as client:
        (said,) = outputs(client, 0)
        kernel = psutil.Process(int(said["text"]))

        def interrupt() -> None:
            wait_for(lambda: has_begun(path))
            asyncio.run(client.km.interrupt_kernel())

        thread = threading.Thread(target=interrupt)
        thread.start()
        progress, error = outputs(client, 1)
        thread.join()
        folder = tiny.latest(path)
        done = len(list(folder.glob("cells/*.json")))
        servers = [process for process in kernel.children() if "forkserver" in " ".join(process.cmdline())]
        wait_for(lambda: not [worker for server in servers for worker in server.children()])
        assert len(servers) == 1
        assert 3 <= done < 10
        assert is_readable(progress["data"]["text/plain"])
        assert error["traceback"] == [
            f"bench: stopped; {done} of 10 cells are finished and kept in {folder.relative_to(tmp_path)}; "
            "go on with: bench run tiny.yaml"
        ]
        assert len(outputs(client, 2)) == 2
    assert tiny.latest(path) == folder
    table = tidy.read(folder)
    assert table["cell"].nunique() == 10
    assert set(table["status"]) == {"ok"}


def test_a_kernel_that_is_shut_down_leaves_no_process(awkward: Path, tmp_path: Path) -> None:
    path = tiny.write(tmp_path, **SLOW)
    with notebook(tmp_path, "import os; print(os.getpid())", RUN.format(reports=None)) as client:
        (said,) = outputs(client, 0)
        kernel = psutil.Process(int(said["text"]))
        client.kc.execute(client.nb.cells[1].source)
        wait_for(lambda: has_begun(path))
        family = kernel.children(recursive=True)
        assert len(family) >= 3
        asyncio.run(client.km.shutdown_kernel(now=True))
    wait_for(lambda: not [process for process in family if process.is_running()])
    assert not [file for file in tiny.latest(path).rglob("*.json") if not json.loads(file.read_text())]


def test_a_fault_is_one_line(tmp_path: Path) -> None:
    with notebook(tmp_path, "import bench\nbench.run('nothing_of_the_kind.yaml')") as client:
        (error,) = outputs(client, 0)
    (line,) = error["traceback"]
    assert line.startswith("bench: nothing_of_the_kind.yaml: ")
    assert "\n" not in line
