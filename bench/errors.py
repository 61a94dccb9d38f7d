"""What can go wrong, in one hierarchy.

- ``BenchError``: anything a user can mend. The command line prints it as one line and exits with code 2.
    - ``SuiteError``: a suite file asks for something that cannot be done.
    - ``PluginError``: an approach, family, dataset or metric is unknown, or got an option it does not have.
    - ``DataError``: a dataset cannot be read, or is smaller than what is asked of it.
    - ``CheckpointError``: a pretrained model cannot be loaded.
    - ``ResultsError``: results cannot be read or written.
- ``CellEnd``: how a cell ends when it does not end well; each becomes a row with its ``status``.
    - ``NotApplicable``: the approach has no meaning for this model or data.
    - ``Diverged``: the loss became NaN or infinite.
    - ``OutOfMemory``: even one example at a time does not fit.
    - ``Incompatible``: libraries that are installed do not do it together, or not for this model.
"""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, ClassVar

from bench.words import cut

_LONGEST = 1200  # characters of what is said; whatever is quoted in it, fault and remedy stand at its ends


class BenchError(Exception):
    """Something a user can mend; its text is one line that names the fault and the remedy."""

    def __init__(self, said: str = "") -> None:
        super().__init__(cut(str(said), _LONGEST))

    def _render_traceback_(self) -> list[str]:
        """What IPython shows of it in a notebook: that line, as the command line does."""
        return [f"bench: {self}"]


class SuiteError(BenchError):
    """A suite asks for something that cannot be done.

    Args:
        file: the suite's path.
        key: dotted path of the offending entry, such as ``budget.steps``; empty for the whole file.
        problem: what is wrong, with the value.
        remedy: what to write instead.
    """

    def __init__(self, file: object, key: str, problem: str, remedy: str) -> None:
        self.file, self.key, self.problem, self.remedy = file, key, problem, remedy
        where = f"{cut(str(file), 600)}: {cut(key, 200)}" if key else cut(str(file), 600)
        super().__init__(f"{where}: {cut(problem, 500)}; {cut(remedy, 1000)}")

    def __reduce__(self) -> tuple[type, tuple[object, str, str, str]]:
        return type(self), (self.file, self.key, self.problem, self.remedy)


class PluginError(BenchError):
    """An approach, family, dataset or metric is unknown, or got an option it does not have."""


class DataError(BenchError):
    """A dataset cannot be read, or is smaller than what is asked of it."""


class CheckpointError(BenchError):
    """A pretrained model cannot be loaded."""


class Unusable(Exception):
    """Why a checkpoint or an architecture will not do, and the remedy, before it is said whose it is."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.problem, self.remedy = problem, remedy


class ResultsError(BenchError):
    """Results cannot be read or written."""


class CellEnd(Exception):
    """How a cell ends when it does not end well; the text is the reason in its row."""

    status: ClassVar[str] = "failed"

    def __init__(self, reason: str = "") -> None:
        super().__init__(cut(str(reason), _LONGEST))


class NotApplicable(CellEnd):
    """The approach has no meaning for this model or data.

    Args:
        reason: in words.
        scores: of a metric a part of which has a meaning: that part.
    """

    status = "not_applicable"

    def __init__(self, reason: str = "", scores: Sequence[Any] = ()) -> None:
        self.scores = list(scores)
        super().__init__(reason)


class Diverged(CellEnd):
    """The loss became NaN or infinite."""

    status = "diverged"


class OutOfMemory(CellEnd):
    """Even one example at a time does not fit into memory."""

    status = "out_of_memory"


class Incompatible(CellEnd):
    """What was asked has a meaning, but libraries that are installed do not do it together, or not for this model.

    A failed row, so that a release that breaks something does not look as if that had no meaning.

    Args:
        problem: what does not run, in one line.
        libraries: the distributions it is between, which the text names with their versions.
    """

    def __init__(self, problem: str, *libraries: str) -> None:
        self.problem, self.libraries = problem, libraries
        super().__init__(f"{problem} (with {' and '.join(f'{name} {version(name)}' for name in libraries)})")

    def __reduce__(self) -> tuple[type, tuple[str, ...]]:
        return type(self), (self.problem, *self.libraries)
