"""What lies in ``nightly/`` to be copied: every file by its own linter, every command by our own parser."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.__main__ import make_parser
from bench.running import planning
from bench.suite import loading

FOLDER = Path(__file__).parents[1] / "nightly"
WORKFLOW = FOLDER / "github-actions.yml"
FILES = sorted(path.name for path in FOLDER.iterdir())
SCRIPTS = ["nightly.sh", "slurm.sh"]


def tool(name: str) -> str:
    """A linter of the ``test`` extra, or one that the machine has."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not installed; pip install 'transferbench[test]' where there is a wheel of it")
    return found


def accepted(*command: object, given: str | None = None, **variables: str) -> None:
    environment = {**os.environ, **variables}
    words = list(map(str, command))
    done = subprocess.run(words, input=given, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr


def steps() -> dict[str, dict[str, Any]]:
    """Of the workflow's job, by name."""
    workflow = yaml.safe_load(WORKFLOW.read_text())
    return {step["name"]: step for step in workflow["jobs"]["nightly"]["steps"]}


RUN = {name: step["run"] for name, step in steps().items() if "run" in step}


# Commands -------------------------------------------------------------------------------------------------------------


def commands(text: str) -> list[list[str]]:
    """The arguments of each `bench` that is called in a text, or named in it."""
    whole = text.replace("\\\n", " ").replace('"$suite"', "nightly").replace("$suite", "nightly")
    found = re.findall(r"(?<![\w./:-])bench ([a-z]+\b[^\n|;&`)#]*)", whole)
    return [shlex.split(line) for line in found]


def test_commands_are_found() -> None:
    text = 'a `bench plan SUITE` b\nbench run "$suite" --new || x\n  - run: bench list # one\ntransferbench nightly\n'
    assert commands(text) == [["plan", "SUITE"], ["run", "nightly", "--new"], ["list"]]


@pytest.mark.parametrize("name", [*FILES, "../suites/nightly.yaml"])
def test_every_command_can_be_parsed(name: str) -> None:
    parser, known = make_parser(), {path.stem for path in (Path(loading.__file__).parents[1] / "commands").iterdir()}
    for arguments in commands((FOLDER / name).read_text()):
        if arguments[0] == "compare" and "compare" not in known:
            continue
        try:
            parser.parse_args(arguments)
        except SystemExit:
            pytest.fail(f"{name}: bench {shlex.join(arguments)}")


def test_each_file_that_runs_something_runs_the_night() -> None:
    """Each by the script, but for the workflow, which has the commands as its steps."""
    script = [arguments[0] for arguments in commands("\n".join(code(FOLDER / "nightly.sh")))]
    assert script == ["doctor", "run", "compare", "history"]
    assert [arguments[0] for run in RUN.values() for arguments in commands(run)] == script
    for name in set(FILES) - {"README.md", "nightly.sh", WORKFLOW.name, "transferbench-nightly.timer"}:
        assert "nightly.sh" in "\n".join(code(FOLDER / name)), name
    assert set(FILES) <= {*re.findall(r"`([\w.-]+)(?: \[SUITE\])?`", (FOLDER / "README.md").read_text()), "README.md"}


def test_every_form_of_the_verdict_is_kept() -> None:
    (script,) = (one for one in commands("\n".join(code(FOLDER / "nightly.sh"))) if one[0] == "compare")
    forms = [word for word in script if word.startswith("verdict.")]
    assert forms == ["verdict.md", "verdict.xml", "verdict.html"]
    kept = steps()["Keep pages, records and verdict"]["with"]["path"].split()
    assert set(forms) <= {*re.findall(r"verdict\.\w+", RUN["Compare"])} & set(kept)


def code(path: Path) -> list[str]:
    """Lines that are no comments."""
    return [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]


# Linters --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts(name: str) -> None:
    accepted("bash", "-n", FOLDER / name)
    accepted(tool("shellcheck"), FOLDER / name)
    assert os.access(FOLDER / "nightly.sh", os.X_OK)


@pytest.mark.parametrize("name", RUN)
def test_steps_of_the_workflow(name: str) -> None:
    """What others write (a branch's name, a title) reaches a shell by variables alone."""
    assert "${{" not in RUN[name]
    accepted("bash", "-n", given=RUN[name])
    accepted(tool("shellcheck"), "-s", "bash", "-", given=RUN[name])


@pytest.mark.parametrize("schema", ["vendor.github-workflows", "custom.github-workflows-require-timeout"])
def test_the_workflow(schema: str) -> None:
    accepted(tool("check-jsonschema"), "--builtin-schema", schema, WORKFLOW)
    uses = [step["uses"] for step in steps().values() if "uses" in step]
    assert all(re.fullmatch(r"actions/[a-z/-]+@v\d+", use) for use in uses)
    written = re.findall(r"steps\.(\w+)\.", WORKFLOW.read_text())
    assert set(written) == {step["id"] for step in steps().values() if "id" in step}


def test_the_dockerfile() -> None:
    accepted(tool("hadolint"), FOLDER / "Dockerfile")
    copied = [line.split()[1:-1] for line in code(FOLDER / "Dockerfile") if line.startswith("COPY")]
    assert all((FOLDER.parent / path).exists() for paths in copied for path in paths)


def test_units_of_systemd(tmp_path: Path) -> None:
    if not (found := shutil.which("systemd-analyze")):
        pytest.skip("systemd-analyze is not installed")
    units = sorted(FOLDER.glob("transferbench-nightly.*"))
    accepted(found, "verify", "--user", "--man=no", *units, XDG_RUNTIME_DIR=str(tmp_path))


def test_the_crontab() -> None:
    (line,) = code_of_crontab()
    *when, command = line.split(None, 5)
    assert all(re.fullmatch(r"[\d*,/-]+", field) for field in when)
    assert "%" not in command  # which would end the line there
    accepted("bash", "-n", given=command)


# What the script does -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ends", "code", "called"),
    [
        ({}, 0, ["doctor", "run", "compare", "history"]),
        ({"compare": 1}, 1, ["doctor", "run", "compare", "history"]),
        ({"run": 1, "compare": 3}, 3, ["doctor", "run", "compare", "history"]),
        ({"run": 2}, 2, ["doctor", "run"]),
        ({"doctor": 1, "history": 1}, 0, ["doctor", "run", "compare", "history"]),
    ],
    ids=str,
)
def test_a_night(ends: dict[str, int], code: int, called: list[str], tmp_path: Path) -> None:
    (program := tmp_path / "bin" / "bench").parent.mkdir()
    given = {"run": 0, "compare": 0, "doctor": 0, "history": 0} | ends
    lines = ["#!/usr/bin/env bash", 'echo "$@" >> called', *(f"[[ $1 == {n} ]] && exit {e}" for n, e in given.items())]
    program.write_text("\n".join(lines) + "\n")
    program.chmod(0o755)
    for kind in ("md", "xml", "html"):
        (tmp_path / f"verdict.{kind}").write_text("of the night before")
    environment = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}
    script = [str(FOLDER / "nightly.sh"), "mine"]
    done = subprocess.run(script, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == code
    lines = (tmp_path / "called").read_text().splitlines()
    assert [line.split()[0] for line in lines] == called
    assert lines[1] == "run mine --new"
    assert list(tmp_path.glob("verdict.*")) == []


@pytest.mark.parametrize(("code", "mailed"), [(0, ""), (1, "bench: worse\n")])
def test_cron_mails_what_went_wrong(code: int, mailed: str, tmp_path: Path) -> None:
    home = tmp_path / "transferbench"
    (home / "nightly").mkdir(parents=True)
    (home / "nightly" / "nightly.sh").write_text(f"#!/usr/bin/env bash\necho bench: worse\nexit {code}\n")
    (home / "nightly" / "nightly.sh").chmod(0o755)
    (line,) = code_of_crontab()
    done = subprocess.run(
        ["/bin/sh", "-c", line.split(None, 5)[5]],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.stdout == mailed
    assert (home / "nightly.log").read_text() == "bench: worse\n"


def test_a_slurm_job_works_where_it_begins(tmp_path: Path) -> None:
    """With -D that is another folder than the one it was submitted in, which SLURM_SUBMIT_DIR names."""
    home = tmp_path / "transferbench"
    (home / "nightly").mkdir(parents=True)
    (home / ".venv" / "bin").mkdir(parents=True)
    (home / ".venv" / "bin" / "activate").touch()
    (home / "nightly" / "nightly.sh").write_text("#!/usr/bin/env bash\npwd\n")
    (home / "nightly" / "nightly.sh").chmod(0o755)
    done = subprocess.run(
        ["bash", FOLDER / "slurm.sh"],
        cwd=home,
        env={**os.environ, "SLURM_SUBMIT_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.returncode) == (f"{home}\n", 0)


def code_of_crontab() -> list[str]:
    return [line for line in code(FOLDER / "crontab") if not re.match(r"[A-Z]+=", line)]


def test_the_workflow_keeps_the_last_twenty_runs(tmp_path: Path) -> None:
    names = [f"2026-01-{day:02d}_18-00-00" for day in range(1, 25)]
    for name in names:
        (tmp_path / "results" / "nightly" / name).mkdir(parents=True)
    (step,) = (run for name, run in RUN.items() if name.startswith("Twenty runs"))
    for _ in range(2):
        subprocess.run(["bash", "-e", "-c", step], cwd=tmp_path, check=True)
        assert sorted(path.name for path in (tmp_path / "results" / "nightly").iterdir()) == names[-20:]


# The suite ------------------------------------------------------------------------------------------------------------


def test_the_suite_is_small_and_can_be_told_apart_from_noise(tmp_path: Path) -> None:
    plan = planning.plan(loading.load("nightly"), tmp_path)
    assert plan.faults == []
    assert not plan.not_applicable
    cells = plan.cells
    assert {cell.seed for cell in cells} == {0, 1, 2}
    assert len({cell.data_size for cell in cells if cell.data_size}) == 1
    assert len({(cell.model_name, cell.target.name) for cell in cells}) == 2
    assert {"zero_shot", "from_scratch", "full_finetuning", "lora"} <= {cell.approach for cell in cells}
    # data_curve takes 49 minutes on two cores for 125,000 steps
    assert sum((cell.budget.planned_steps or 0) * len(cell.tuning) for cell in cells if cell.data_size) < 6000


def test_its_models_are_those_of_another_suite() -> None:
    """Their base models are trained once per machine for both."""
    ours, theirs = ({c.model_name: c.model.recipe for c in loading.load(n).cells} for n in ("nightly", "data_curve"))
    assert ours == theirs
