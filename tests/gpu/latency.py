"""Sampling from a language model with and without a static cache.

The GPT-2 of `suites/gpu_embedded.yaml`, untrained, at full length, timed by the metric `inference`. With a static cache
(`cache_implementation="static"`) transformers compiles the network on a GPU; once it is kept from that, to tell the two
apart. The first call has compilation in it, and does not count among the N.
"""

from typing import Any

from tests.gpu import apart
from tests.gpu.box import Box

SHARE = 0.18
TABLE = "Latency (median of N calls) and throughput (of N calls)"
VARIANTS: dict[str, dict[str, Any]] = {
    "growing (the default)": {},
    "static, not compiled": {"cache_implementation": "static", "disable_compile": True},
    "static": {"cache_implementation": "static"},
}


def measure(box: Box) -> None:
    sizes = (8, 2, 2, 1) if box.small else (64, 32, 8, 2)  # tokens, batch, calls that count, and before them
    expected = None
    for cache, settings in VARIANTS.items():
        try:
            found = apart.call("latency.timed", settings, box.small, *sizes, seconds=box.left())
        except apart.Ended as end:
            box.row("Not measured", cache=cache, why=str(end))
            continue
        sample = found.pop("sample")
        expected = expected or sample
        box.row(TABLE, cache=cache, **found, **{"same sample": "yes" if sample == expected else "no"})
    if expected is None:
        raise AssertionError("nothing was measured")
