"""What a metric measures, and from which change on that matters."""

from bench.report import aggregate

QUALITY, SPEED, MEMORY, ENERGY, SIZE = "quality", "speed", "memory", "energy", "size"
DRIFT = "drift"

TOLERANCES = {QUALITY: 0.01, DRIFT: 0.001, SPEED: 0.15, MEMORY: 0.05, ENERGY: 0.15, SIZE: 0.01}
"""Shares of the earlier value that are no change. ``drift`` is what all cells together may lose of quality."""

MEASURED = (SPEED, MEMORY, ENERGY)
"""Kinds that depend on the machine, so that figures of two machines are not compared."""

_SPEED_UNITS, _ENERGY_UNITS = ("s", "ms"), ("J", "kJ", "Wh", "kWh")


def kind_of(metric: str, unit: str) -> str:
    """One of the five kinds."""
    if unit in _SPEED_UNITS or unit.endswith("/s") or metric == "mfu":
        return SPEED
    if unit in _ENERGY_UNITS:
        return ENERGY
    if unit == "bytes" and "peak" in metric:
        return MEMORY
    return SIZE if aggregate.is_cost(metric, unit) else QUALITY
