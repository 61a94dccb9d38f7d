"""The contract of every approach on every family (`tests/approaches/test_every_approach.py`), on this device.

Small models, eight steps, in bfloat16 by autocast, on a CPU too: a pair finishes or says why it does not apply; it
takes its budget, keeps what was best on validation, samples, is stored and comes back the same. Each pair has a process
of its own. The choice that covers all approaches and families comes first, then the rest as long as there is time.
"""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.gpu import apart
from tests.gpu.box import Box

SHARE = 0.28
_LONGEST = 60.0  # seconds that a pair may take
_FEW = [("lora", "causal_lm"), ("full_finetuning", "gan")]
"""What a try on a CPU takes."""

_ENDS = {True: "again the same bits", False: "again other bits", None: "does not apply"}


def measure(box: Box) -> None:
    chosen, rest = (_FEW, []) if box.small else apart.call("contract.pairs", seconds=box.left())
    families = sorted({family for _, family in chosen})
    for (family, _), outcome in _each(box, "prepare", [(family, box.scratch) for family in families]):
        if isinstance(outcome, apart.Ended):
            box.row("Not prepared", family=family, why=str(outcome))
    counts = Counter[str]()
    for (approach, family, _), outcome in _each(box, "kept", [(*pair, box.scratch) for pair in (*chosen, *rest)]):
        counts["tried"] += 1
        counts["of the choice"] += (approach, family) in chosen
        if isinstance(outcome, apart.Ended):
            counts["broken"] += 1
            box.row("Broken", approach=approach, family=family, why=str(outcome))
            box.fail(f"{approach} on {family}: {outcome}", outcome.trace)
        else:
            counts[_ENDS[outcome]] += 1
        row: dict[str, Any] = {"tried": counts["tried"], "of": len(chosen) + len(rest)}
        row |= {"of the covering choice": f"{counts['of the choice']} of {len(chosen)}", "broken": counts["broken"]}
        box.put("Pairs of approach and family", [row | {name: counts[name] for name in _ENDS.values()}])
    if counts["tried"] < len(chosen):
        box.is_over = True
        box.say(f"Cut by the time box: {len(chosen) - counts['tried']} pairs of the covering choice were not tried.")


def _each(box: Box, function: str, calls: list[tuple[Any, ...]]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    until, longest = time.monotonic() + box.left() - 5, min(_LONGEST, box.left())
    return apart.each(f"contract.{function}", calls, workers=box.workers, seconds=longest, until=until)
