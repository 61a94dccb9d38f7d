"""What is taken out of texts for others, and what stays."""

import pytest

from bench.results import cleaning
from bench.results.cleaning import HOSTS, PATHS, SECRETS, USERS, Cleaner

HOME = "/home/anna lena"


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", HOME)
    monkeypatch.setenv("MY_TOKEN", "swordfish-1")
    monkeypatch.setattr("platform.node", lambda: "box.example.org")


CASES = [
    ("RuntimeError: /data/users/x.csv: not found", "RuntimeError: …/x.csv: not found", {PATHS}),
    (f"path={HOME}/my data/x.csv", "path=…/my data/x.csv", {PATHS}),
    ("no folder '/data/my corp/x y.csv'; name another", "no folder '…/x y.csv'; name another", {PATHS}),
    (f"in {HOME}", "in …", {PATHS}),
    ("in /home/bertha and /Users/carl/", "in … and …", {PATHS}),
    ("-I/home/bertha/include", "-I…/include", {PATHS}),
    ("~/x/y.txt, ~dora/z", "…/y.txt, …/z", {PATHS}),
    ("C:\\Users\\anna\\file.txt or D:/a/b.c", "…/file.txt or …/b.c", {PATHS}),
    ("\\\\server\\share\\x", "…/x", {PATHS}),
    ("'/a/b','/c/d'", "'…/b','…/d'", {PATHS}),
    ("file:///home/me/a.txt", "…/a.txt", {PATHS}),
    ("https://user:word@huggingface.co/a/b", "https://huggingface.co/a/b", {SECRETS}),
    ("http://gpu-box:8000/v1", "http://<host>:8000/v1", {HOSTS}),
    ("http://10.1.2.3/v1", "http://<host>/v1", {HOSTS}),
    ("http://models.internal/v1", "http://<host>/v1", {HOSTS}),
    ("died on box and box.example.org", "died on <host> and <host>", {HOSTS}),
    ("asked by anna lena", "asked by <user>", {USERS}),
    ("with hf_abcdefghijklmnopqrstuv", "with <secret>", {SECRETS}),
    ("Authorization: Bearer abcdef123456789", "Authorization: Bearer <secret>", {SECRETS}),
    ("the word is swordfish-1", "the word is <secret>", {SECRETS}),
]
KEPT = [
    "tokens/s, 1/2, and/or, </b> <br/>", "org/model-1 in a/b", "https://huggingface.co/gpt2", "http://localhost:8000/v1",
    "/data", "s/a/b/", "…/x.csv", "boxes, box-2, mailbox", "hf_internal_testing", "a: b", "s3://bucket/key",
    "漢字 / 🐍", "data/root/x",
]  # fmt: skip


@pytest.mark.parametrize(("text", "clean", "kinds"), CASES)
def test_what_goes(text: str, clean: str, kinds: set[str]) -> None:
    cleaner = Cleaner()
    assert cleaner.text(text) == clean
    assert cleaner.found.keys() == kinds
    assert cleaner.text(clean) == clean  # so that what is published can be held against what is not


@pytest.mark.parametrize("text", KEPT)
def test_what_stays(text: str) -> None:
    cleaner = Cleaner()
    assert cleaner.text(text) == text
    assert not cleaner.found


def test_a_word_of_the_suite_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.node", lambda: "lora")
    assert Cleaner({"lora"}).text("lora diverged") == "lora diverged"
    assert Cleaner().text("lora diverged") == "<host> diverged"


def test_a_path_that_is_known_ends_where_it_ends() -> None:
    suite = {"path": "/data/my corp/x y.csv", "models": ["~/my models/gpt2", "openai/gpt2", "D:\\my models\\a"], "n": 3}
    found = cleaning.paths_in(suite)
    assert found == {"/data/my corp/x y.csv", "~/my models/gpt2", "D:\\my models\\a"}
    cleaner = Cleaner(paths=found)
    clean = {"path": "…/x y.csv", "models": ["…/gpt2", "openai/gpt2", "…/a"], "n": 3}
    assert cleaner.value(suite) == cleaner.value(clean) == clean
    assert cleaner.text("path: /data/my corp/x y.csv, modality: text") == "path: …/x y.csv, modality: text"


def test_all_texts_of_a_value_are_counted_keys_too() -> None:
    cleaner = Cleaner()
    value = {"/a/b/c": ["/a/b/c", 1, None, {"x": "/a/b/c on box"}]}
    assert cleaner.value(value) == {"…/c": ["…/c", 1, None, {"x": "…/c on <host>"}]}
    assert cleaning.told(cleaner.found) == "3 with paths, 1 with hosts"
    assert cleaning.told({}) == ""
