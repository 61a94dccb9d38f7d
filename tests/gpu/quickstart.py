"""The quickstart through the real runner: one seed of its three, all else as it is.

Cells train several at a time, as the machine has cores, so that no time here is that of a cell alone. What it shows is
that the whole way works on this device, and how long it takes. Scores are of one seed: they tell that training did
something.
"""

import time
from typing import Any

from tests import tiny
from tests.gpu import runs
from tests.gpu.box import Box

SHARE = 0.23
TABLE = "Scores of the largest data size, one seed"
_TINY: dict[str, Any] = tiny.SUITE | {"metrics": ["perplexity", "cost"]}
_TOLD = ("zero_shot", "from_scratch", "full_finetuning", "lora")


def measure(box: Box) -> None:
    declared = shortened(box.small)
    begun = time.monotonic()
    records, suite = runs.taken(box, "quickstart", declared, box.workers)
    box.say(
        f"{time.monotonic() - begun:.0f} s with {box.workers} cells at a time, base models and measurements included."
    )
    runs.tell_ends(box, records, suite)
    primary = suite.primary()
    largest = max((record["asked"]["data_size"] for record in records), default=0)
    for record in records:
        asked = record["asked"]
        first = next((s for s in record["happened"]["scores"] if s["metric"] == primary.get(asked["family"])), None)
        if asked["data_size"] not in (0, largest) or asked["approach"] not in _TOLD or first is None:
            continue
        box.row(
            TABLE,
            model=asked["model"],
            target=asked["target"],
            approach=asked["approach"],
            data_size=asked["data_size"],
            score=f"{first['metric']} [{first['unit']}]",
            value=first["value"],
            N=first["n"],
        )


def shortened(small: bool) -> dict[str, Any]:
    """One seed."""
    return _TINY if small else runs.suite_file("quickstart") | {"seeds": [0]}
