"""The text domains: splits share neither a file or topic nor a near-duplicate, and each holds what it says."""

import ast
import sys
import sysconfig
import tokenize
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from bench.dataset import SPLITS, Dataset
from bench.datasets.python_docstrings import python_docstrings
from bench.datasets.python_reference import python_reference
from bench.errors import DataError

TEXTS = ("python_code", "python_docstrings", "python_reference")


def bare(line: str) -> str:
    """A line of source or of a passage without indentation and quotes."""
    return line.strip().lstrip("rR").strip("\"' ")


@pytest.fixture(scope="session")
def owners() -> Callable[[Iterable[str]], set[str]]:
    """From passages to the files they can only have come from: the one file that has a certain line."""
    holders = defaultdict(set)
    root = Path(sysconfig.get_path("stdlib"))
    for path in root.rglob("*.py"):
        if not {"site-packages", "test", "tests", "idle_test"}.intersection(path.relative_to(root).parts):
            with tokenize.open(path) as file:
                for line in file:
                    holders[bare(line)].add(path.relative_to(root).as_posix())
    return lambda passages: {
        next(iter(holders[bare(line)]))
        for passage in passages
        for line in passage.splitlines()
        if len(line) > 30 and len(holders[bare(line)]) == 1
    }


@pytest.mark.parametrize("name", TEXTS)
def test_passages_are_short_and_valid(name: str, domains: dict[str, Dataset]) -> None:
    for split in SPLITS:
        for text in getattr(domains[name], split):
            assert 40 <= len(text) <= 1000
            assert text == text.strip("\n").rstrip()
            text.encode("utf-8")


@pytest.mark.parametrize("name", TEXTS)
def test_training_holds_no_near_duplicate_of_what_is_held_out(name: str, domains: dict[str, Dataset]) -> None:
    data, random = domains[name], np.random.default_rng(0)
    held_out = [*data.test, *data.validation]
    sample = [held_out[i] for i in random.permutation(len(held_out))[:100]]
    counter = CountVectorizer(analyzer="char", ngram_range=(6, 6), binary=True, dtype=np.int32)
    ours = counter.fit_transform(sample)
    train = [data.train[i] for i in random.permutation(len(data.train))[:3000]]
    shared = (ours @ counter.transform(train).T).toarray()
    distinct = np.array([len({text.lower()[i : i + 6] for i in range(len(text) - 5)}) for text in train])
    similarity = shared / (np.asarray(ours.sum(axis=1)) + distinct - shared)
    assert similarity.max() < 0.9
    assert np.median(similarity.max(axis=1)) < 0.3


def test_files_are_held_out_whole_and_alike_from_docstrings_and_code(
    domains: dict[str, Dataset], owners: Callable[[Iterable[str]], set[str]]
) -> None:
    files = {
        split: owners(getattr(domains["python_docstrings"], split)) | owners(getattr(domains["python_code"], split))
        for split in SPLITS
    }
    assert all(len(files[split]) > 20 for split in SPLITS)
    assert not files["train"] & files["test"]
    assert not files["train"] & files["validation"]
    assert not files["validation"] & files["test"]


def test_topics_are_held_out_whole(domains: dict[str, Dataset]) -> None:
    def of(passages: Iterable[str]) -> set[str]:
        parts = [part for passage in passages for part in passage.split("\n\n") if len(part) > 60]
        holders = [[topic for topic, text in topics.items() if part in text] for part in parts]
        return {found[0] for found in holders if len(found) == 1}

    found = {split: of(getattr(domains["python_reference"], split)) for split in SPLITS}
    assert all(len(found[split]) >= 5 for split in SPLITS)
    assert not found["train"] & found["test"]
    assert not found["train"] & found["validation"]


def test_code_has_none_of_the_docstrings(domains: dict[str, Dataset]) -> None:
    docs = [text for split in SPLITS for text in getattr(domains["python_docstrings"], split)]
    lines = {line.strip() for text in docs for line in text.splitlines() if len(line) > 50}
    code = [line.strip() for text in domains["python_code"].train for line in text.splitlines() if len(line) > 50]
    assert sum(line in lines for line in code) < 0.002 * len(code)


def test_code_is_mostly_whole_functions_without_docstrings(domains: dict[str, Dataset]) -> None:
    begun = [text for text in domains["python_code"].test if text.startswith(("def ", "async def ", "@"))]
    assert len(begun) > 0.6 * len(domains["python_code"].test)
    parsed = [node for text in begun if (node := parse(text)) is not None]
    assert len(parsed) > 0.8 * len(begun)
    for tree in parsed:
        assert isinstance(tree.body[0], ast.FunctionDef | ast.AsyncFunctionDef)
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        assert not any(ast.get_docstring(function) for function in functions)


def parse(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except SyntaxError:  # the first part of a long function
        return None


def test_a_python_without_sources_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(DataError, match="holds no sources; use a complete installation"):
        python_docstrings()


def test_a_python_without_its_reference_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(DataError, match="lacks pydoc_data; use a complete installation"):
        python_reference()
