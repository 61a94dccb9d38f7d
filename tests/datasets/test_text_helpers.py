"""Passages, near-duplicates and splits by group, on texts made for the purpose."""

import itertools
import string

import numpy as np

from bench.dataset import SPLITS
from bench.datasets._text import HELD_OUT, LONGEST, SIMILAR, SUB_DOMAIN, assign, dataset, distinct, paragraphs, passages


def words(random: np.random.Generator, count: int) -> str:
    return " ".join("".join(random.choice(list(string.ascii_lowercase), 6)) for _ in range(count))


def similarity(one: str, other: str) -> float:
    first, second = ({tuple(text.split()[i : i + 3]) for i in range(len(text.split()) - 2)} for text in (one, other))
    return len(first & second) / len(first | second)


def test_paragraphs_keep_indentation_and_drop_surrogates() -> None:
    assert paragraphs("\n one\n   two \n \t\n\n    three\ud800\n\n") == [" one\n   two", "    three"]


def test_passages_join_short_paragraphs_and_lose_no_word_of_long_ones() -> None:
    random = np.random.default_rng(0)
    parts = [words(random, count) for count in (10, 40, 30, 400, 60, 90)]
    parts.append("\n".join(words(random, 12) for _ in range(40)))
    made = passages(parts)
    assert " ".join(made).split() == " ".join(parts).split()
    assert max(map(len, made)) <= LONGEST
    assert all(len(one) + len(other) > LONGEST / 2 for one, other in itertools.pairwise(made))
    assert made[0].count("\n\n") >= 1


def test_passages_drop_what_is_too_short() -> None:
    assert passages(["too short"]) == []


def test_distinct_finds_exactly_what_comparing_all_pairs_finds() -> None:
    random = np.random.default_rng(1)
    texts = []
    for _ in range(60):
        base = words(random, 30).split()
        for changes in range(4):  # 0 to 3 words replaced: similarities on both sides of the threshold
            copy = list(base)
            for place in random.choice(30, changes, replace=False):
                copy[place] = "other"
            texts.append(" ".join(copy))
    texts = [texts[i] for i in random.permutation(len(texts))]
    expected: list[bool] = []
    for i, text in enumerate(texts):
        expected.append(not any(kept and similarity(text, texts[j]) >= SIMILAR for j, kept in enumerate(expected)))
        assert len(expected) == i + 1
    assert distinct(texts) == expected
    assert 60 < sum(expected) < len(texts)


def test_distinct_ignores_case_space_and_punctuation() -> None:
    assert distinct(["One two: three four.", "one  two three\nfour", "one two", "One, two!", "one"]) == [
        True,
        False,
        True,
        False,
        True,
    ]


def test_assign_fills_but_never_exceeds_the_shares() -> None:
    random = np.random.default_rng(2)
    sizes = {f"group {i}": int(size) for i, size in enumerate(random.geometric(0.02, 300))}
    splits = assign(sizes)
    shares = {
        split: sum(sizes[name] for name in sizes if splits[name] == split) / sum(sizes.values()) for split in SPLITS
    }
    assert 0.09 < shares["test"] <= 0.10
    assert 0.09 < shares["validation"] <= 0.10
    assert assign(dict(reversed(sizes.items()))) == splits
    assert list(dict.fromkeys(splits.values())) == ["test", "validation", "train"]


def test_of_near_duplicates_the_held_out_one_stays() -> None:
    random = np.random.default_rng(3)
    groups = {f"group {i}": [words(random, 10), words(random, 10)] for i in range(40)}
    splits = assign(dict.fromkeys(groups, 1))
    held_out = next(name for name in splits if splits[name] == "test")
    copied = {name: [*texts, groups[held_out][0]] for name, texts in groups.items()}
    data = dataset("copied", copied, splits)
    assert groups[held_out][0] in data.test
    assert (len(data.train), len(data.validation), len(data.test)) == (64, 8, 8)


def test_held_out_splits_are_capped() -> None:
    random = np.random.default_rng(4)
    groups = {f"group {i}": [words(random, 8) for _ in range(50)] for i in range(100)}
    data = dataset("large", groups, assign(dict.fromkeys(groups, 1)))
    assert (len(data.train), len(data.validation), len(data.test)) == (4000, HELD_OUT, HELD_OUT)


def test_what_lies_in_one_folder_makes_a_sub_domain_if_it_is_large_enough() -> None:
    random = np.random.default_rng(5)
    sizes = {"email/header.py": 20, "email/message.py": SUB_DOMAIN - 20, "abc.py": SUB_DOMAIN - 1, "os.py": SUB_DOMAIN}
    groups = {name: [f"{name} {words(random, 10)}" for _ in range(size)] for name, size in sizes.items()}
    held_out = {"test": ["one two three four"], "validation": ["five six seven"]}
    splits = dict.fromkeys(groups, "train") | {name: name for name in held_out}
    data = dataset("parts", groups | held_out, splits)
    assert data.groups is not None
    found = {(text.partition(" ")[0], int(group)) for text, group in zip(data.train, data.groups, strict=True)}
    assert found == {("email/header.py", 0), ("email/message.py", 0), ("abc.py", -1), ("os.py", 1)}
    few = {name: "train" if name == "abc.py" else name for name in ["abc.py", *held_out]}
    assert dataset("small", groups | held_out, few).groups is None
