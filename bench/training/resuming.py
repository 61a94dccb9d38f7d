"""Going on inside a trial that was cut off, to the same bits: what was done is done, and nothing is guessed.

A trial is a course of *rests*, where no code of an approach is under way (before each stage, and before the target),
and of *calls* of the loop in between. A checkpoint has all that training changes (:mod:`bench.training.state`) at a
rest, at the end of a call, or after a step of one. To go on, the trial is set up anew. At the last rest that was kept,
what was there is put back. From there the approach's own code runs again, and comes to the same calls: those whose end
was kept are not made, and in the one that was under way the state of its last kept step is put back. So nothing of what
an approach holds on Python's stack need be known. Calls that were short are made again, for the same outcome.
"""

import math
import time
from collections.abc import Callable
from typing import Any, Self

from bench.dataset import Dataset
from bench.errors import BenchError
from bench.pauses import Pauses
from bench.training import chance, state
from bench.training.intervals import INTERVAL, SHARE
from bench.training.restoring import Restoring
from bench.training.unfinished import Unfinished
from bench.transfer import Transfer

_SPEED = 2**28  # bytes a second that a disk takes, before the first checkpoint tells
_COPIES = 4  # of what trains, in a checkpoint: weights, two moments, the best weights
_COUNTERS = ("taken", "spent", "examples", "looked", "samples", "steps", "reached")


class CannotGoOn(BenchError):
    """A checkpoint does not fit what was set up; its number is ``number``."""

    def __init__(self, said: str = "", number: int = 0) -> None:
        super().__init__(said)
        self.number = number


class Keeper(Pauses):
    """Keeps checkpoints of one trial, and goes on from the newest.

    Args:
        unfinished: where.
        trial: its place in the grid.
        interval: seconds between two checkpoints, at least.
        share: of the time, that they may take.

    Attributes:
        newest: what the checkpoint says that the trial goes on from; None where it begins.
        seconds: the trial has taken before.
        memory: peak measures of the parts before.
        why_not: why only whole trials are kept; empty where there is no reason.
        unseen: why a checkpoint could not be had where one was due.
        look: gives the peak measures at this moment.
        about: what else to keep, for who sets the trial up again.
        before_first: is called before anything is written.
        spent: seconds that checkpoints, and looking for what is in them, have taken.
    """

    def __init__(
        self,
        unfinished: Unfinished,
        trial: int,
        *,
        interval: float = INTERVAL,
        share: float = SHARE,
    ) -> None:
        self.unfinished, self.trial, self.interval, self.share = unfinished, trial, interval, share
        self._number, self.newest = unfinished.usable(trial)
        self._goal: dict[str, Any] | None = self.newest
        self.seconds = float(self.newest["seconds"]) if self.newest else 0.0
        self.memory: dict[str, int] = self.newest["memory"] if self.newest else {}
        self.why_not = self.unseen = ""
        self.look: Callable[[], dict[str, int]] = dict
        self.about, self.before_first = dict[str, Any](), lambda: None
        self._began = self._last = self._mark = time.perf_counter()
        self._cost = self.spent = 0.0
        self._rest: int | None = None  # the number of the checkpoint at the last rest that was kept
        self._calls, self._kept = 0, dict[int, int]()  # since that rest: how many, and which ended in which checkpoint
        self._unkept = 0.0  # seconds of what was done since then and would be done again
        self._call, self._earlier = list[Any](), 0.0
        self._transfer: Transfer | None = None
        self._data: Dataset

    # What happens in a trial ----------------------------------------------------------------------------------------

    def at_rest(self, transfer: Transfer) -> None:
        if self._transfer is None:
            self._begin(transfer)
            return
        self._unkept += self._since_mark()
        # a stage's own choice of examples is in no checkpoint
        wanted = self._goal is None and self._worth(self._unkept) and transfer.data is self._data
        if wanted and (number := self._keep("rest", {})):
            self._rest, self._calls, self._kept, self._unkept = number, 0, {}, 0.0

    def has(self, steps: int, stage: str) -> bool:
        self._unkept += self._since_mark()
        self._call, self._earlier = [stage, steps], 0.0
        if self._goal is None or (number := self._kept.get(self._calls)) is None:
            return False
        self._restore(number, {})
        self._calls += 1
        if self._goal["kind"] == "call" and self._calls > self._goal["call"]:
            self._arrive()
        return True

    def begin(self, loop: Any) -> int:
        if self._goal is None or self._goal["kind"] != "step" or self._goal["call"] != self._calls:
            return 0
        goal = self._goal
        self._restore(self._number, _held(loop))
        if loop.validation:
            loop.validation.best_loss = goal["best_loss"]
        if loop.context.scaler and goal["scaler"]:
            loop.context.scaler.load_state_dict(goal["scaler"])
        self._earlier = goal["call_seconds"]
        self._arrive()
        return int(goal["step"])

    def after_step(self, loop: Any, taken: int) -> None:
        now = time.perf_counter()
        if now - self._last < self.interval or self.why_not or self._goal is not None or taken == loop.steps:
            return
        if self.spent + self._cost > self.share * (now - self._began):
            return
        if self.interval and self._unkept > self._spacing():  # which would have to be done again to come here
            return
        loop.check()
        scaler = loop.context.scaler
        more: dict[str, Any] = {"step": taken, "call_seconds": self._earlier + now - self._mark}
        more |= {"best_loss": loop.validation.best_loss if loop.validation else None}
        self._keep("step", more | {"scaler": scaler.state_dict() if scaler else None}, _held(loop))

    def after_call(self) -> None:
        took = self._earlier + self._since_mark()
        # of many short calls none is worth it: those before would have to be made again
        wanted = self._call[0] and self._goal is None and self._worth(took) and took >= self._unkept
        if wanted and (number := self._keep("call", {})):
            self._kept[self._calls], took = number, 0.0
        self._unkept += took
        self._calls += 1

    def _since_mark(self) -> float:
        """Seconds since this was asked last, or the trial went on."""
        now = time.perf_counter()
        passed, self._mark = now - self._mark, now
        return passed

    @property
    def own_choice(self) -> Dataset | None:
        """The data that is learned from, where the approach chose it itself."""
        chosen = self._transfer.data if self._transfer else None
        return None if self._transfer is None or chosen is self._data else chosen

    # Keeping --------------------------------------------------------------------------------------------------------

    def _spacing(self) -> float:
        return max(self.interval, self._cost / self.share if self.share else 0.0)

    def _worth(self, seconds: float) -> bool:
        """Whether so much work would be lost that its end is kept, whenever the last checkpoint was."""
        return not self.why_not and seconds >= self._spacing() / 2 and seconds > 0

    def _begin(self, transfer: Transfer) -> None:
        """Look at what set-up made, and go to where the newest checkpoint begins."""
        self._transfer, self._data = transfer, transfer.data
        began, lists = time.perf_counter(), ("terms", "transforms", "schedule", "stages", "beside")
        self._first = {name: getattr(transfer, name) for name in ("model", "rates", "sampler", "shape", "fit", *lists)}
        trained = sum(weight.numel() * weight.element_size() for weight in transfer.trainable())
        whole = sum(weight.numel() * weight.element_size() for weight in transfer.model.parameters())
        self._cost = (_COPIES * trained + whole / _COPIES) / _SPEED if self.interval else 0.0
        walk = state.Walk({}, dry=True)
        try:
            if self.interval < math.inf:
                walk.whole(self._roots({}))
        except Exception as reason:  # whatever a plugin holds must not end its cell
            self.why_not = self._say(reason)
        self._versions = walk.versions()
        self._began = self._last = self._mark = time.perf_counter()
        self.spent += self._began - began
        if (goal := self._goal) is None:
            return
        self._rest, self._kept = goal["rest"], {int(call): number for call, number in goal["calls"].items()}
        if goal["kind"] == "rest":
            self._rest, self._kept = self._number, {}
        elif goal["kind"] == "call":
            self._kept[goal["call"]] = self._number
        if self._rest is not None:
            self._restore(self._rest, {})
        if goal["kind"] == "rest":
            self._arrive()

    def _roots(self, held: dict[str, Any]) -> dict[str, Any]:
        now = {name: getattr(self._transfer, name) for name in self._first}
        return {"model": self._first["model"], "first": self._first, "now": now, "held": held}

    def _keep(self, kind: str, more: dict[str, Any], held: dict[str, Any] | None = None) -> int | None:
        """Write a checkpoint; its number, or None where it cannot be."""
        transfer, began = self._transfer, time.perf_counter()
        assert transfer is not None
        roots = self._roots(held or {})
        walk = state.Walk(self._encodings(), self._versions)
        try:
            node = walk.whole(roots)
            drawn = chance.states(walk.tensors)
        except Exception as reason:  # of what is under way, such as a sampler; at the next rest all may be told
            self.unseen, self._last = self._say(reason), time.perf_counter()
            return None
        about = {
            "kind": kind, "trial": self.trial, "rest": self._rest, "calls": self._kept, "call": self._calls,
            "state": node, "chance": drawn, "counters": {name: getattr(transfer, name) for name in _COUNTERS},
            "open": transfer._open, "curve": transfer.curve, "seconds": self.seconds + began - self._began,
            "since": began - transfer.began if transfer.began else None, "memory": self._peak(),
            "unkept": self._unkept, "of": self._call,
        }  # fmt: skip
        builds_on = [*([] if self._rest is None else [self._rest]), *self._kept.values()]
        number = None
        with self.unfinished.attempt() as attempt:
            self.before_first()
            self.before_first = lambda: None
            number = self.unfinished.write(self.about | about | more, walk.tensors, builds_on)
        if attempt.failed:
            self.why_not = "the disk took no checkpoint"
        self._last = time.perf_counter()
        self._cost = self._last - began
        self.spent += self._cost
        return number

    def _say(self, reason: Exception) -> str:
        """Say once in the cell's log why no checkpoint can be had."""
        said = " ".join(str(reason).split())[:200] or type(reason).__name__
        if said != self.unseen:
            self.unfinished.say(f"no checkpoint inside trial {self.trial + 1} here: {said}")
        return said

    def _peak(self) -> dict[str, int]:
        return together(self.memory, self.look())

    def _encodings(self) -> dict[int, tuple[str, str]]:
        assert self._transfer is not None
        known = getattr(self._encode, "known", None)
        return state.encodings(self._transfer, self._data, known.values() if known else ())

    def use(self, encode: Any) -> Self:
        """Name who encodes items, and so knows which tensors need not be written."""
        self._encode = encode
        return self

    _encode: Any = None

    # Going on -------------------------------------------------------------------------------------------------------

    def _restore(self, number: int, held: dict[str, Any]) -> None:
        transfer = self._transfer
        assert transfer is not None
        try:
            about, tensors = self.unfinished.read(number)
            if about["kind"] != "rest" and about["of"] != self._call:
                raise ValueError(f"the loop was asked for {about['of']}, and now for {self._call}")
            names = dict(state.named_items(transfer, self._data))
            Restoring(tensors, lambda items, column: self._encode(names[items])[column]).value(
                about["state"], roots := self._roots(held)
            )
            for name, value in roots["now"].items():
                if getattr(transfer, name) is not value:
                    setattr(transfer, name, value)
        except Exception as error:
            raise CannotGoOn(" ".join(str(error).split()), self._number) from error
        for name, value in about["counters"].items():
            setattr(transfer, name, value)
        transfer._open, transfer.curve = about["open"], about["curve"]
        chance.restore(about["chance"], tensors)
        transfer.progress(transfer.taken)

    def _arrive(self) -> None:
        """What was cut off is where it was, and so are its clocks."""
        transfer, goal = self._transfer, self._goal
        assert transfer is not None
        assert goal is not None
        now = time.perf_counter()
        transfer.began = now - goal["since"] if goal["since"] is not None else 0.0
        transfer.deadline = now + (transfer.budget.seconds or math.inf) - goal["seconds"]
        self._goal, self._unkept = None, goal["unkept"] if goal["kind"] == "step" else 0.0
        self._began = self._last = self._mark = now
        where = f"step {transfer.taken} of trial {self.trial + 1}"
        self.unfinished.note(f"went on inside the cell at {where}, {self.seconds:.0f} s after that trial began")


def together(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    """The higher peak of each measure of memory."""
    return {name: max(one.get(name, 0), other.get(name, 0)) for name in one | other}


def _held(loop: Any) -> dict[str, Any]:
    """What a call of the loop holds that training changes."""
    optimizers = [optimizer.state for _, optimizer in loop.optimizers]
    held = {"optimizers": optimizers, "average": loop.average, "generator": loop.generator, "indices": loop.indices}
    return held | {"fitting": loop.fitting, "best": loop.validation.best if loop.validation else None}
