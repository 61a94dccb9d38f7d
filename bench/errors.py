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
"""

from typing import ClassVar


class BenchError(Exception):
    """Something a user can mend; its text is one line that names the fault and the remedy."""


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
        where = f"{file}: {key}" if key else f"{file}"
        super().__init__(f"{where}: {problem}; {remedy}")

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


class NotApplicable(CellEnd):
    """The approach has no meaning for this model or data."""

    status = "not_applicable"


class Diverged(CellEnd):
    """The loss became NaN or infinite."""

    status = "diverged"


class OutOfMemory(CellEnd):
    """Even one example at a time does not fit into memory."""

    status = "out_of_memory"
