"""Numbers as readers like them: as many digits as the interval allows, and units that people know."""

import math

from bench.words import counted

ARROWS = {"lower": "↓", "higher": "↑", "none": ""}
DIRECTIONS = {"lower": "↓ lower is better", "higher": "↑ higher is better", "none": ""}

MARKS = {
    "best": "best over shared seeds of those that may be the best",
    "tied": "may be the best, too",
    "outdone": "may be the best approach, but its mean is worse than the untouched model's",
    "ahead": "control ahead of the best",
    "uncompared": "not compared: too few seeds in common with the others",
}
"""What the marks of a table say."""

NO_MARKS = "no marks: too few seeds in common"

UNCOMPARED = "a better mean, but too few seeds in common to be compared"

NAMED = 5
"""How many a sentence names; of more it gives the number."""

_BYTES = "bytes"
_NOTHING = 1e-12  # a difference below it is one of rounding
_SCALES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))


def decimals(means: list[float], half_widths: list[float]) -> int:
    """How many decimals a table of one metric needs.

    Two digits of the median interval, but no more than three decimals, or three digits of the median mean where that
    is small. Without intervals those three digits.
    """
    typical, width = _median(means), _median(half_widths)
    most = max(3, 2 - _magnitude(typical)) if typical else 3
    return max(0, min(most, (1 - _magnitude(width)) if width else 2 - _magnitude(typical) if typical else 0))


def _median(values: list[float]) -> float:
    """Median size of what is finite and not zero; 0 where nothing is."""
    known = sorted(abs(value) for value in values if math.isfinite(value) and value)
    return known[len(known) // 2] if known else 0.0


def _magnitude(value: float) -> int:
    return math.floor(math.log10(value))


def number(value: float, places: int) -> str:
    """``value`` with ``places`` decimals, a true minus sign, thousands set apart; very large ones as powers of ten."""
    if not math.isfinite(value):
        return "—"
    if abs(value) >= 1e7:
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{mantissa}e{int(exponent)}".replace("-", "−")
    text = f"{value:,.{places}f}".replace(",", "\N{THIN SPACE}")
    return text.lstrip("-") if not any(digit in text for digit in "123456789") else text.replace("-", "−")


def plus_minus(half_width: float, places: int) -> str:
    """``±0.021``; empty where there is no interval, or where all seeds agree to the last digit."""
    if not math.isfinite(half_width) or half_width == 0:
        return ""
    return f"±{number(half_width, places)}"


def gap_decimals(behind: float, low: float, high: float) -> int:
    """How many decimals a difference and its interval need, wherever they are shown.

    As of :func:`decimals` from its own interval, which is often much narrower than the means' ±, as seeds are shared;
    and enough that neither it nor an end of its interval is shown as nothing where it is something. Two digits where
    there is no interval.
    """
    sizes = [abs(value) for value in (behind, low, high) if math.isfinite(value) and abs(value) > _NOTHING]
    if not sizes:
        return 0
    least, width = -_magnitude(min(sizes)), high - low
    return max(least, decimals([behind], [width / 2]) if width > 0 else least + 1, 0)


def gap(behind: float, places: int) -> str:
    """``0.13 better``, ``0.02 worse``, ``0.00``."""
    shown = number(abs(behind), places)
    return f"{shown}\N{NO-BREAK SPACE}{'worse' if behind > 0 else 'better'}" if behind else shown


def gap_interval(low: float, high: float, places: int) -> str:
    """``0.09 to 0.17`` of how far one is behind or ahead, ``0.05 worse to 0.09 better`` where it may be either."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    near, far = sorted((low, high), key=abs)
    if low < 0 < high:
        return f"{number(high, places)} worse to {number(-low, places)} better".replace(" ", "\N{NO-BREAK SPACE}")
    shown = f"{number(abs(near), places)} to {number(abs(far), places)}"
    return "" if low == high else shown.replace(" ", "\N{NO-BREAK SPACE}")


def quantity(value: float, unit: str, half_width: float = math.nan) -> tuple[str, str, str]:
    """A cost as (number, interval, unit with its prefix), three significant digits: 2 214 000 bytes is 2.21 MB."""
    if not math.isfinite(value):
        return "—", "", ""
    if unit in ("s", "ms"):
        value, half_width, unit = _time(value, half_width, unit)
    elif unit == _BYTES or abs(value) >= 1e4:
        scale, prefix = next(((scale, prefix) for scale, prefix in _SCALES if abs(value) >= scale), (1.0, ""))
        value, half_width = value / scale, half_width / scale
        unit = f"{prefix}B" if unit == _BYTES else f"{prefix} {unit}".strip()
    whole = value == round(value) and abs(value) < 1e4
    places = 0 if whole or not value else min(3, max(0, 2 - math.floor(math.log10(abs(value)))))
    return number(value, places), plus_minus(half_width, places), unit


def share(value: float) -> str:
    """``34 %``, ``0.4 %``; what is not nothing is never shown as nothing."""
    places = 0 if value >= 0.0995 else 1
    shown = number(100 * max(value, 0.001 * (value > 0)), places)
    return f"{'less than ' * (0 < value < 0.001)}{shown}\N{NO-BREAK SPACE}%"


def in_words(value: float, unit: str) -> str:
    """A cost in running text: ``2.21 MB``."""
    shown, _, unit = quantity(value, unit)
    return f"{shown}\N{NO-BREAK SPACE}{unit}".strip()


def short(value: float) -> str:
    """A round number for an axis: ``500 k``."""
    scale, prefix = next(((scale, prefix) for scale, prefix in _SCALES if value >= scale), (1.0, ""))
    return f"{value / scale:.3g}\N{THIN SPACE}{prefix}".strip()


def duration(seconds: float) -> str:
    """``4 min 12 s``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s" if seconds < 10 else f"{rest} s"


def moment(iso: str) -> str:
    """``2025-11-21 03:23 +00:00`` for an ISO time with its offset."""
    return f"{iso[:10]} {iso[11:16]} {iso[-6:]}"


def examples(size: int) -> str:
    """Head of a table's column: ``200 examples``; 0 is an approach that uses none."""
    return f"{number(size, 0)} example{'s' if size != 1 else ''}" if size else "no examples"


def seeds(have: int, asked: int, ended: dict[str, int]) -> str:
    """``5 seeds``; ``2 of 5 seeds; 3 diverged`` where some have no value: how many ``ended`` how, in words."""
    if have >= asked:
        return counted(have, "seed")
    ends = ", ".join(f"{count} {how}" for how, count in ended.items())
    return f"{have} of {counted(asked, 'seed')}; {ends}"


def listed(names: list[str], last: str = "and") -> str:
    """``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}" if names else ""


def _time(value: float, half_width: float, unit: str) -> tuple[float, float, str]:
    seconds = value / 1000 if unit == "ms" else value
    factor = 1000 if 0 < abs(seconds) < 1 else 1
    return seconds * factor, half_width * factor / (1000 if unit == "ms" else 1), "ms" if factor == 1000 else "s"
