"""Each family's training step against the same step written by hand (`tests/benchmarks/`).

Models have the sizes of `suites/modalities.yaml`, so small that a GPU waits for Python: what the loop adds to a step
weighs as much here as it ever can. Both take the same rows and noise, in turn, with the device synchronised before and
after each step; the first steps, in which libraries load their kernels, do not count.
"""

from bench import plugins
from tests.gpu import apart
from tests.gpu.box import Box

SHARE = 0.13
TABLE = "Time of a step, median of N"
_WARM = 6  # steps that do not count


def measure(box: Box) -> None:
    families = ["causal_lm"] if box.small else _trained()
    steps = 3 if box.small else 40
    calls = [(family, steps, 0 if box.small else _WARM) for family in families]
    for (family, *_), outcome in apart.each("steps.compared", calls, workers=1, seconds=box.left()):
        if isinstance(outcome, apart.Ended):
            box.row("Not compared", family=family, why=str(outcome))
            if "transferbench[" not in str(outcome):  # where an extra is missing, it says how to install it
                box.fail(f"{family}: {outcome}", outcome.trace)
        else:
            box.row(TABLE, family=family, **outcome)


def _trained() -> list[str]:
    """All families but those whose weights somebody else has."""
    offers = {name: plugins.find("families", name).constants["OFFERS"] for name in plugins.names("families")}
    return [name for name, offered in offers.items() if "network" in offered]
