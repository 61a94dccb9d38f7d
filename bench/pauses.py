"""Contract: where a trial may be gone on with after its process was killed.

An approach has nothing to do for it. Only a stage that takes its steps in many short calls of the loop, and holds more
than its weights from one to the next, would begin anew: one that returns True is called again, and is gone on with from
its last such return. What it remembers must then lie outside of the function, in an object that it had at set-up.
"""

from typing import Any


class Pauses:
    """What the loop and a transfer tell of where they are. This one keeps nothing of it, and
    :class:`bench.training.resuming.Keeper` does."""

    def at_rest(self, transfer: Any) -> None:
        """A stage is about to begin, or the target; no code of an approach is under way."""

    def has(self, steps: int, stage: str) -> bool:
        """Whether a call of the loop was finished before, and what it left has been put back."""
        return False

    def begin(self, loop: Any) -> int:
        """How many of a call's steps were taken before; what they left has been put back."""
        return 0

    def after_step(self, loop: Any, taken: int) -> None:
        """So many of a call's steps are taken."""

    def after_call(self) -> None:
        """A call of the loop has come to its end."""
