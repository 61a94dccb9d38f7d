"""YAML to cells: :func:`load` reads a suite, checks it, and spells it out.

Checks everything that can be checked without training, without torch and without running a plugin's code.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bench import plugins
from bench.errors import PluginError, SuiteError
from bench.suite import matrix, yaml_file
from bench.suite.cell import Cell
from bench.suite.complaints import explain
from bench.suite.declaration import NAME, Declaration, SuiteFile
from bench.words import shown, suggest


@dataclass(frozen=True)
class Suite(Declaration):
    """A checked suite.

    Attributes:
        cells: the whole matrix in the suite's order, controls first; cells that do not apply carry the reason.
    """

    cells: list[Cell]

    def about(self) -> dict[str, Any]:
        """What ``run.json`` says of it: its file as it is written, and as it is understood."""
        return {
            "suite": self.name,
            "description": self.file.description,
            "definition": self.file.model_dump(),
            "source": self.source,
            "primary": self.primary(),
        }

    @property
    def source(self) -> str:
        """The file's text."""
        return self.path.read_text(encoding="utf-8")

    def primary(self) -> dict[str, str]:
        """Family to the name of the score that ranks approaches: the first listed metric that states one."""
        found: dict[str, str] = {}
        for cell in self.cells:
            for name, options in cell.metrics:
                if "PRIMARY" in (metric := plugins.find("metrics", name)).constants:
                    found.setdefault(cell.model.family, metric.filled("PRIMARY", options))
        return found


def shipped() -> Path:
    """The folder of the suites we ship: beside the package in a checkout, inside it in a wheel."""
    inside = plugins.FOLDER / "suites"
    return inside if inside.is_dir() else plugins.FOLDER.parent / "suites"


def available() -> list[Path]:
    """The YAML files of the shipped suites, sorted by name."""
    return sorted(shipped().glob("*.yaml"))


def locate(name: str) -> Path:
    """A path as it is; a bare name among ``./suites`` and the shipped suites."""
    if name.endswith((".yaml", ".yml")) or not NAME.fullmatch(name) or Path(name).is_file():
        return Path(name)
    for folder in (Path("suites"), shipped()):
        if (found := folder / f"{name}.yaml").is_file():
            return found
    if Path(name).is_dir():
        return Path(name)
    known = [path.stem for path in available()]
    hint = suggest(name, known) or f"name a YAML file or one of: {', '.join(known)}"
    raise SuiteError(name, "", "no suite of this name", hint.strip())


def load(name: str | Path) -> Suite:
    """Read and check a suite by path or by name; :class:`SuiteError` names the file, the key, the value, the remedy."""
    path = locate(str(name))
    content = yaml_file.read(path)
    if not NAME.fullmatch(path.stem):
        raise SuiteError(path, "", f"{path.stem!r} is no name for a suite", "use letters, digits, '_', '-'")
    try:
        file = SuiteFile.model_validate(content)
    except ValidationError as error:
        raise SuiteError(path, *explain(error, SuiteFile)) from None
    declared = Declaration(path.stem, path, file)
    _check_names(declared)
    try:
        return Suite(path.stem, path, file, matrix.expand(declared))
    except PluginError as error:
        raise SuiteError(path, "", str(error), "see `bench list`") from None


def _check_names(suite: Declaration) -> None:
    """Names are unique, harmless, and mean something."""
    file = suite.file
    written: dict[str, list[Any]] = {
        "models": list(file.models),
        "datasets": [entry.name for entry in file.datasets],
        "approaches": [entry.name for entry in file.approaches],
        "metrics": [entry.name for entry in file.metrics],
        "data_sizes": file.data_sizes,
        "data_quality": [quality.label for quality in file.data_quality],
        "seeds": file.seeds,
    }
    for name, model in file.models.items():
        at = f"models.{name}"
        written[f"{at}.datasets"] = model.datasets or []
        written[f"{at}.data_sizes"] = model.data_sizes or []
        written[f"{at}.metrics"] = [entry.name for entry in model.metrics or []]
        written[f"{at}.source"] = [model.source.replace("/", "-", 1)] if model.source is not None else []
    written |= {f"datasets.{entry.name}.data_sizes": entry.data_sizes or [] for entry in file.datasets}
    for key, entries in written.items():
        for value in entries:
            if isinstance(value, str) and not NAME.fullmatch(value):
                raise suite.error(key, f"{shown(value)} is no name", "use letters, digits, spaces and _.+,:=()%-")
            if isinstance(value, int) and value < (0 if key == "seeds" else 1):
                raise suite.error(key, f"{value} is too small", "use 0 or more" if key == "seeds" else "use 1 or more")
            if entries.count(value) > 1:
                raise suite.error(key, f"{shown(value)} stands there twice", "keep one, or give one another name")
    for name, model in file.models.items():
        for wanted in model.datasets or []:
            if wanted not in written["datasets"]:
                hint = suggest(wanted, written["datasets"]) or "add it to datasets"
                problem = f"{shown(wanted)} is not among the suite's datasets"
                raise suite.error(f"models.{name}.datasets", problem, hint.strip())
