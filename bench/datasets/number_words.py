"""Pairs of texts: a number in the words of one language, and in those of another."""

from collections.abc import Callable
from typing import Literal

import numpy as np

from bench.dataset import Dataset
from bench.datasets._generated import pairs
from bench.errors import PluginError

MODALITY = "text_pair"


def number_words(
    *,
    source: Literal["english", "german", "french", "digits"] = "english",
    target: Literal["english", "german", "french", "digits"] = "german",
) -> Dataset:
    """Numbers from 1 to 999,999, to be translated: ``three hundred and seven`` to ``dreihundertsieben``.

    Every pair is exact: numbers are written out by the languages' rules (British English; German; French with the
    hyphens of 1990). How many digits a number has is drawn about evenly. No number is in two splits, whatever the
    languages are.

    Args:
        source: the language that is read.
        target: the language that is written.
    """
    if source == target:
        raise PluginError(
            f"dataset number_words: option 'target': {target!r} will not do; name another than the source"
        )
    read, write = WRITTEN[source], WRITTEN[target]

    def draw(random: np.random.Generator) -> tuple[str, str]:
        number = int(10 ** random.uniform(0, 6))
        return read(number), write(number)

    return pairs("number_words", draw)


_ENGLISH, _ENGLISH_TENS = (
    words.split()
    for words in (
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen",
        "twenty thirty forty fifty sixty seventy eighty ninety",
    )
)


def english(number: int) -> str:
    """British: ``and`` before what is left below a hundred."""
    if number < 20:
        return _ENGLISH[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _ENGLISH_TENS[tens - 2] + (f"-{_ENGLISH[ones]}" if ones else "")
    size, name = (1000, "thousand") if number >= 1000 else (100, "hundred")
    count, rest = divmod(number, size)
    joined = " and " if rest < 100 else " "
    return f"{english(count)} {name}" + (joined + english(rest) if rest else "")


_GERMAN, _GERMAN_TENS = (
    words.split()
    for words in (
        "null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn "
        "siebzehn achtzehn neunzehn",
        "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig",
    )
)


def german(number: int) -> str:
    """One word; ``eins`` at its end is ``ein`` anywhere else."""
    return _german(number) + "s" * (number % 100 == 1)


def _german(number: int) -> str:
    if number < 20:
        return _GERMAN[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return (f"{_GERMAN[ones]}und" if ones else "") + _GERMAN_TENS[tens - 2]
    size, name = (1000, "tausend") if number >= 1000 else (100, "hundert")
    count, rest = divmod(number, size)
    return _german(count) + name + (_german(rest) if rest else "")


_FRENCH, _FRENCH_TENS = (
    words.split()
    for words in (
        "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept "
        "dix-huit dix-neuf",
        "vingt trente quarante cinquante soixante soixante quatre-vingt quatre-vingt",
    )
)


def french(number: int) -> str:
    """Hyphens everywhere; ``vingts`` and ``cents`` where nothing follows, ``mille`` neither counted as one nor more."""
    return _french(number) + "s" * (number % 100 == 80 or (number % 100 == 0 and number % 1000 > 100))


def _french(number: int) -> str:
    if number < 20:
        return _FRENCH[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        ones += 10 * (tens in (7, 9))  # soixante-dix, quatre-vingt-dix
        joined = "-et-" if ones in (1, 11) and tens < 8 else "-"
        return _FRENCH_TENS[tens - 2] + (joined + _FRENCH[ones] if ones else "")
    size, name = (1000, "mille") if number >= 1000 else (100, "cent")
    count, rest = divmod(number, size)
    return (f"{_french(count)}-" if count > 1 else "") + name + (f"-{_french(rest)}" if rest else "")


WRITTEN: dict[str, Callable[[int], str]] = {"english": english, "german": german, "french": french, "digits": str}
"""Language to how a number below a million is written in it."""
