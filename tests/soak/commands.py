"""``bench`` in this process, as often as one likes: what it says, how it ends, and how long it takes."""

import io
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from types import FrameType
from typing import NamedTuple

from bench import __main__

LONGEST = 10.0  # seconds a command may take
_HUNG = 120.0  # seconds after which it is stopped


class Said(NamedTuple):
    """How a command ended, what it said on both streams, and the processor's seconds it took."""

    code: int
    out: str
    err: str
    seconds: float


def bench(*arguments: object, longest: float = LONGEST) -> Said:
    """Run a command; :class:`AssertionError` where it ends in a traceback, hangs, or takes longer than it may.

    An exception that gets through is one: the shell would show its traceback. The time is that of the processor, so
    that what else the machine does counts for nothing.
    """
    out, err, began = io.StringIO(), io.StringIO(), time.process_time()
    with redirect_stdout(out), redirect_stderr(err), _not_forever():
        try:
            code = __main__.main([str(argument) for argument in arguments])
        except SystemExit as end:  # as argparse ends
            code = end.code if isinstance(end.code, int) else 1
    said = Said(code, out.getvalue(), err.getvalue(), time.process_time() - began)
    assert "Traceback" not in said.err, said.err
    assert said.code in (0, 1, 2), said
    assert said.seconds < longest, f"it took {said.seconds:.1f} s"
    if said.code == 2:
        assert said.err.startswith("bench: "), said
        assert said.err.count("\n") == len(said.err.splitlines()), said
    return said


@contextmanager
def _not_forever() -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"it hangs: not done after {_HUNG:.0f} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, _HUNG)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
