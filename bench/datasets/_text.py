"""What the text domains share: passages, removal of near-duplicates, and splits by group (a file, a topic)."""

import hashlib
import math
import re
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from bench.dataset import SPLITS, Dataset

LONGEST = 1000
"""Characters in a passage, at most."""

SHORTEST = 40
"""Characters in a passage, at least."""

HELD_OUT = 400
"""Passages in a validation or test split, at most: enough to score, few enough to score often."""

SUB_DOMAIN = 32
"""Passages for training in a sub-domain, at least."""

SIMILAR = 0.75
"""Two texts are near-duplicates when this share of the runs of three words found in either is found in both."""

SHARES = {"test": 0.10, "validation": 0.10}
"""Share of the groups' total size that is held out."""


def paragraphs(text: str) -> list[str]:
    """What blank lines separate, indentation kept; lone surrogates, which UTF-8 cannot hold, are left out."""
    text = text.encode("utf-8", "ignore").decode("utf-8")
    return [part.strip("\n").rstrip() for part in re.split(r"\n(?:[ \t\f]*\n)+", text) if part.strip()]


def passages(parts: Iterable[str], longest: int = LONGEST) -> list[str]:
    """Successive paragraphs joined while they fit into ``longest`` characters; shorter than ``SHORTEST`` is dropped.

    A paragraph that is longer itself is cut between lines, and a line that is longer between words.
    """
    joined: list[str] = []
    for part in parts:
        for piece in _cut(part, longest) if len(part) > longest else [part]:
            if joined and len(joined[-1]) + 2 + len(piece) <= longest:
                joined[-1] += "\n\n" + piece
            else:
                joined.append(piece)
    return [passage for passage in joined if len(passage) >= SHORTEST]


def _cut(paragraph: str, longest: int) -> Iterator[str]:
    piece = ""
    for line in paragraph.split("\n"):
        for short in textwrap.wrap(line, longest) if len(line) > longest else [line]:
            if piece and len(piece) + 1 + len(short) > longest:
                yield piece
                piece = short
            else:
                piece = f"{piece}\n{short}" if piece else short
    yield piece


def distinct(texts: Sequence[str]) -> list[bool]:
    """Which texts are no near-duplicate of an earlier one that is kept.

    Sets whose Jaccard similarity reaches a threshold must share one of their rarest members, so only texts that do are
    compared: exact, deterministic, and about linear in the number of texts.

    Paper: Bayardo, Ma, Srikant (2007), Scaling Up All Pairs Similarity Search, WWW.
    """
    sets = [_shingles(text) for text in texts]
    counts = Counter(shingle for members in sets for shingle in members)
    holders: dict[tuple[str, ...], list[int]] = defaultdict(list)
    kept = []
    for own in sets:
        rarest = sorted(own, key=lambda shingle: (counts[shingle], shingle))
        rarest = rarest[: len(own) - math.ceil(SIMILAR * len(own)) + 1]
        candidates = {index for shingle in rarest for index in holders[shingle]}
        kept.append(not any(_jaccard(own, sets[index]) >= SIMILAR for index in candidates))
        if kept[-1]:
            for shingle in rarest:
                holders[shingle].append(len(kept) - 1)
    return kept


def _shingles(text: str) -> set[tuple[str, ...]]:
    """Runs of three words, case and punctuation aside; a shorter text is one run."""
    words = re.findall(r"\w+", text.lower())
    return set(zip(words, words[1:], words[2:], strict=False)) or {tuple(words)}


def _jaccard(one: set[tuple[str, ...]], other: set[tuple[str, ...]]) -> float:
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)


def assign(sizes: Mapping[str, int], shares: Mapping[str, float] = SHARES) -> dict[str, str]:
    """Group to split, held-out splits first.

    Groups come in the order of their name's hash; each goes to the first held-out split that still has room for all of
    it, else to training. The outcome depends on names and sizes alone, and no held-out split exceeds its share.
    """
    total = sum(sizes.values())
    room = {split: share * total for split, share in shares.items()}
    splits = {}
    for name in sorted(sizes, key=lambda name: hashlib.sha256(name.encode()).digest()):
        splits[name] = next((split for split in room if sizes[name] <= room[split]), "train")
        if splits[name] in room:
            room[splits[name]] -= sizes[name]
    return dict(sorted(splits.items(), key=lambda item: -SPLITS.index(item[1])))


def dataset(name: str, groups: Mapping[str, list[str]], splits: Mapping[str, str]) -> Dataset:
    """The groups' passages in their splits, shuffled; of near-duplicates the one that is held out stays.

    Groups of which a path says that they lie together, such as ``email/header.py`` and ``email/message.py``, make a
    sub-domain.
    """
    found = [(split, text, group) for group, split in splits.items() for text in groups[group]]
    kept = distinct([text for _, text, _ in found])
    shuffled = np.random.default_rng(0).permutation(np.flatnonzero(kept))
    texts = {split: [found[i][1] for i in shuffled if found[i][0] == split] for split in SPLITS}
    parts = [found[i][2].partition("/")[0] for i in shuffled if found[i][0] == "train"]
    validation, test = texts["validation"][:HELD_OUT], texts["test"][:HELD_OUT]
    return Dataset(name, "text", texts["train"], validation, test, groups=numbered(parts))


def numbered(parts: list[str]) -> np.ndarray | None:
    """Each passage's sub-domain as a number, negative where it is too small to be one; None where all are."""
    _, numbers, counts = np.unique(parts, return_inverse=True, return_counts=True)
    groups = np.where(counts >= SUB_DOMAIN, np.cumsum(counts >= SUB_DOMAIN) - 1, -1)[numbers]
    return groups.astype(np.int64) if groups.max() >= 0 else None
