"""How much of the texts that are scored a model's tokenizer gives back."""

from bisect import bisect_left
from collections.abc import Iterable

import numpy as np

from bench.dataset import Columns, Items
from bench.evaluation import Evaluation, Score
from bench.metrics._items import ratio

_ANCHOR = 16  # characters in a row that both sides have once: there they are laid beside each other
_WINDOW = 512  # characters that are compared with each other at a time, where there are no such anchors


def round_trip(evaluation: Evaluation, items: Items) -> list[Score]:
    """``unrestored``, the share of the bytes of texts that encoding and decoding does not give back; nothing where that
    is not known of any text.

    Of each text it is the bytes in UTF-8 that are missing, or those that stand there instead or besides, whichever are
    more, and at most all of it: a capital that comes back small is 1 byte, an é without its accent 2, a word that is
    unknown all its bytes, a space put before a full stop 1. It is 0 for a tokenizer of bytes, and only for one that
    gives every text back as it was: any other is spared predicting what it drops, so its bits are not those of the
    text. The standard error takes the texts as independent.

    Args:
        evaluation: whose model reads them.
        items: what is scored; of those with several columns the one that is generated, in full.
    """
    texts: Iterable[str] = items[evaluation.model.generated] if isinstance(items, Columns) else list(items)
    pairs = [
        (text, back) for text, back in zip(texts, evaluation.model.restored(items), strict=True) if back is not None
    ]
    sizes = np.array([_size(text) for text, _ in pairs])
    if not sizes.sum():
        return []
    share, error = ratio(np.array([lost(text, back) for text, back in pairs]), sizes)
    return [Score("unrestored", share, "", "none", len(pairs), error)]


def lost(text: str, back: str) -> int:
    """Bytes by which a text differs from what came back, as :func:`round_trip` counts them.

    Both sides are laid beside each other by a common subsequence of characters: the longest one in windows between
    stretches that both have once. So time grows with the length, and not with its square; of long texts without such
    stretches the count may be too large.

    Paper: Hyyrö 2004, Bit-parallel LCS-length computation revisited
    """
    if text == back:
        return 0
    kept = here = there = 0
    for begin, other in [*_anchors(text, back), (len(text), len(back))]:
        kept += _kept(text[here:begin], back[there:other]) + _size(text[begin : begin + _ANCHOR])
        here, there = begin + _ANCHOR, other + _ANCHOR
    size = _size(text)
    return min(size, max(size, _size(back)) - kept)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _anchors(text: str, back: str) -> list[tuple[int, int]]:
    """Where stretches that both sides have once begin in either, in the order of both."""
    known: dict[str, int] = {}
    for at in range(0, len(text) - _ANCHOR + 1, _ANCHOR):
        piece = text[at : at + _ANCHOR]
        known[piece] = -1 if piece in known else at
    met: dict[str, int] = {}
    for at in range(len(back) - _ANCHOR + 1):
        piece = back[at : at + _ANCHOR]
        if known.get(piece, -1) >= 0:
            met[piece] = -1 if piece in met else at
    pairs = sorted((known[piece], at) for piece, at in met.items() if at >= 0)
    ends: list[int] = []  # the longest increasing subsequence: lowest last place of one of each length
    last: list[int] = []  # index of that one's last pair
    before: list[int] = []
    for index, (_, at) in enumerate(pairs):
        length = bisect_left(ends, at)
        ends[length : length + 1], last[length : length + 1] = [at], [index]
        before.append(last[length - 1] if length else -1)
    chosen, index = list[tuple[int, int]](), last[-1] if last else -1
    while index >= 0:
        if not chosen or pairs[index][1] + _ANCHOR <= chosen[-1][1]:
            chosen.append(pairs[index])
        index = before[index]
    return chosen[::-1]


def _kept(one: str, other: str) -> int:
    """Bytes of a common subsequence: the longest one, where both sides fit into a window."""
    here = there = total = 0
    while here < len(one) and there < len(other):
        mine, half, at_end = one[here : here + _WINDOW], _WINDOW // 2, len(one) - here <= _WINDOW
        # what a window holds in its second half may belong to something beyond it
        pairs = [pair for pair in _common(mine, other[there : there + 2 * _WINDOW]) if at_end or pair[0] < half]
        total += _size("".join(mine[place] for place, _ in pairs))
        if at_end:
            break
        if pairs:
            here, there = here + pairs[-1][0] + 1, there + pairs[-1][1] + 1
        else:
            here, there = here + half, there + half * (len(other) - there) // (len(one) - here)
    return total


def _common(one: str, other: str) -> list[tuple[int, int]]:
    """The places of a longest common subsequence in both, ascending."""
    places: dict[str, int] = {}
    for index, letter in enumerate(other):
        places[letter] = places.get(letter, 0) | 1 << index
    everywhere = (1 << len(other)) - 1
    rows = [everywhere]  # after each letter of ``one``, the places of ``other`` that add nothing to what is in common
    for letter in one:
        row = rows[-1]
        same = row & places.get(letter, 0)
        rows.append(((row + same) | (row - same)) & everywhere)
    found, place, there = [], len(one), len(other)
    while place and there:
        if rows[place] >> (there - 1) & 1:
            there -= 1
        elif rows[place - 1] >> (there - 1) & 1:
            place, there = place - 1, there - 1
            found.append((place, there))
        else:
            place -= 1
    return found[::-1]
