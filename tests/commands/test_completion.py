"""Completion in a real shell: what bash would offer behind what is typed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench import __main__, plugins
from bench.commands import list as listing
from tests import tiny

SCRIPT = """
eval "$(bench completion bash)"
complete -p bench >&2
COMP_LINE="$1" COMP_POINT=${#1} COMP_TYPE=9
_python_argcomplete bench
printf '%s\\n' "${COMPREPLY[@]}"
"""


def offered(line: str, folder: Path) -> set[str]:
    """What bash offers for the last word of a line."""
    command = folder / "bench"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m bench "$@"\n')
    command.chmod(0o755)
    variables = tiny.environment()
    variables["PATH"] = f"{folder}:{variables['PATH']}"
    shell = [shutil.which("bash") or "bash", "--norc", "-c", SCRIPT, "bash", line]
    done = subprocess.run(shell, env=variables, cwd=folder, capture_output=True, text=True, check=True)
    assert "_python_argcomplete" in done.stderr, "bash knows how bench is completed"
    return {word.strip() for word in done.stdout.splitlines() if word.strip()}


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash here")
@pytest.mark.parametrize(
    ("line", "some"),
    [
        ("bench ", {"run", "plan", "list", "report"}),
        ("bench run quick", {"quickstart"}),
        ("bench run mi", {"mine", "mine.yaml"}),
        ("bench list lor", {"lora"}),
        ("bench list me", {"metrics", "meta_learning"}),
        ("bench run quickstart --re", {"--results", "--reports", "--retry"}),
        ("bench rer", {"rerun"}),
        ("bench completion f", {"fish"}),
    ],
)
def test_bash_completes_commands_suites_and_names(line: str, some: set[str], tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("")
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "mine.yaml").write_text("")
    found = offered(line, tmp_path)
    assert found >= some
    assert all(word.startswith(line.split(" ")[-1]) for word in found)


def test_every_plugin_can_be_completed() -> None:
    assert set(listing._names()) >= {name for kind in plugins.KINDS for name in plugins.names(kind)}


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_something_of_their_own(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["completion", shell]) == 0
    assert {"zsh": "#compdef bench", "fish": "complete --command bench"}[shell] in capsys.readouterr().out
