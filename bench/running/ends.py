"""How a task ended that could not say it itself, in words. Imports no torch."""

import signal

from pebble import ProcessExpired

from bench.running.hanging import Hung
from bench.words import cut

_LONGEST = 1200  # characters of an exception


def said(error: BaseException) -> str:
    """An exception as one line; of a process that ended on its own, how."""
    if isinstance(error, ProcessExpired) and error.exitcode == -signal.SIGKILL:
        return "killed (SIGKILL): by hand, or by a system that ran out of memory"
    if isinstance(error, ProcessExpired):
        code = error.exitcode
        return f"its process ended with {signal.Signals(-code).name if code < 0 else f'exit code {code}'}"
    return cut(f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": "), _LONGEST)


def how_it_ended(outcome: BaseException, limit: float) -> tuple[str, str]:
    """Status and reason of a cell whose process could not say them itself."""
    if isinstance(outcome, Hung):
        return "timed_out", f"{outcome}; see log.txt beside its record, and run again with --retry"
    if isinstance(outcome, TimeoutError):
        return (
            "timed_out",
            f"took longer than {limit:g} s; raise budget.time_limit and run again with --retry",
        )
    crashed = isinstance(outcome, ProcessExpired) and outcome.exitcode < 0 and outcome.exitcode != -signal.SIGKILL
    return "failed", said(outcome) + ", see log.txt beside its record" * crashed
