"""Overlap in scripts of all kinds: equal texts have all there is, and what cannot be seen is no 0."""

import random
import string
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from rouge_score.tokenize import tokenize
from sacrebleu.metrics.bleu import BLEU

import bench.metrics.overlap as module
from bench import plugins
from bench.errors import PluginError
from bench.evaluation import Score
from bench.metrics._words import spaced, without_spaces, words
from bench.metrics.overlap import fetch, overlap
from bench.running import execution
from tests.metrics.doubles import UnigramBytes, evaluation, measured, texts
from tests.small import seq2seq

RUSSIAN = "ответ 1 на вопрос номер 5"
CHINESE = "我非常喜欢在晚上读书。"
JAPANESE = "今日はとても良い天気ですね。"


def scored(samples: list[str], wanted: list[str], **options: Any) -> tuple[dict[str, Score], str]:
    made = evaluation(seq2seq.model(), seq2seq.data())
    vars(made).update(samples=samples, wanted=wanted, references=wanted)
    return measured(overlap, made, **options)


# Words ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Der Müßiggang, naïve café!", ["der", "müßiggang", "naïve", "café"]),
        ("cafe\u0301", ["café"]),
        (RUSSIAN, ["ответ", "1", "на", "вопрос", "номер", "5"]),
        ("हिन्दी भाषा।", ["हिन्दी", "भाषा"]),  # vowels and their absence are marks
        ("السَّلامُ عليكم", ["السَّلامُ", "عليكم"]),
        ("می‌خواهم", ["می‌خواهم"]),  # with a zero-width non-joiner inside
        ("한국어 문장", ["한국어", "문장"]),
        ("我喜欢GPT-4。", ["我", "喜", "欢", "gpt", "4"]),
        ("カタカナ,ー々", ["カ", "タ", "カ", "ナ", "ー", "々"]),
        ("ｱｲ", ["ｱ", "ｲ"]),
        ("กินข้าว", ["กิ", "น", "ข้", "า", "ว"]),
        ("snake_case 3.14", ["snake", "case", "3", "14"]),
        ("❤️ 🎉 —", []),
        ("", []),
    ],
)
def test_words_of_a_text(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_words_in_ascii_are_those_of_rouge_score() -> None:
    chance = random.Random(0)
    for _ in range(500):
        text = "".join(chance.choices(string.printable, k=80))
        assert words(text) == tokenize(text, None)
        assert spaced(text) == text


def test_which_texts_have_no_spaces() -> None:
    assert not without_spaces([CHINESE, "An answer in English."])
    assert without_spaces([CHINESE, JAPANESE, "GPT"])
    assert not without_spaces([RUSSIAN])
    assert not without_spaces(["", "12 — 🎉"])


# Overlap --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", [RUSSIAN, "Ένα δύο τρία τέσσερα", "एक दो तीन चार", "하나 둘 셋 넷", "naïve café au lait"]
)
def test_equal_texts_have_all_there_is(text: str) -> None:
    found, reason = scored([text, text], [text, text])
    assert {name: score.value for name, score in found.items()} == pytest.approx(
        {"bleu": 100, "chrf": 100, "rouge1": 1, "rouge2": 1, "rougeL": 1, "exact_match": 1}
    )
    assert reason == ""


@pytest.mark.parametrize("text", [CHINESE, JAPANESE, "ฉันชอบอ่านหนังสือ"])
def test_texts_without_spaces_have_no_bleu_by_spaces(text: str) -> None:
    found, reason = scored([text, text], [text, text])
    assert {name: score.value for name, score in found.items()} == pytest.approx(
        {"chrf": 100, "rouge1": 1, "rouge2": 1, "rougeL": 1, "exact_match": 1}
    )
    assert reason.startswith("bleu by 13a takes a text without spaces between words for one word; take zh, ja-mecab")
    found, reason = scored([text, text], [text, text], tokenizer="char")
    assert found["bleu[tok:char]"].value == pytest.approx(100)
    assert reason == ""


def test_rouge_of_chinese_is_by_character() -> None:
    """Five of six characters are the same, in the same order; four of five pairs."""
    found, _ = scored(["我喜欢读书了"] * 2, ["我喜欢读书吗"] * 2)
    assert found["rouge1"].value == found["rougeL"].value == pytest.approx(5 / 6)
    assert found["rouge2"].value == pytest.approx(4 / 5)


def test_another_tokenizer_is_sacrebleu_s_and_is_named() -> None:
    texts, wanted = ["我喜欢在晚上读书。", "他去学校。"], ["我喜欢在早上读书。", "他去学校了。"]
    theirs = BLEU(tokenize="zh")
    score = scored(texts, wanted, tokenizer="zh")[0]["bleu[tok:zh]"]
    assert score.value == pytest.approx(theirs.corpus_score(texts, [wanted]).score)
    assert "tok:zh" in str(theirs.get_signature())


def test_what_references_are_too_short_for_is_left_out() -> None:
    found, reason = scored(["yes", "no way", "a"], ["yes", "no way", "!"])
    assert "bleu" not in found
    assert "bleu needs references of 4 words, and there are none" in reason
    assert (found["rouge1"].value, found["rouge1"].n) == (1, 2)
    assert (found["rouge2"].value, found["rouge2"].n) == (1, 1)
    found, reason = scored(["🎉", "!?"], ["🎉", "!?"])
    assert list(found) == ["chrf", "exact_match"]
    assert "rouge1 needs references of 1 word, and there are none; rouge2 needs references of 2 words" in reason
    assert scored(["", "a"], ["", " "])[1] == "overlap needs references with something in them; all are empty"


@pytest.mark.parametrize("tokenizer", ["ja-mecab", "ko-mecab", "flores200"])
def test_a_tokenizer_that_is_not_there_is_named(tokenizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(**_: Any) -> Any:
        raise RuntimeError("\n\nPlease install it like so.\n\n    pip install sacrebleu[ja]\n")

    monkeypatch.setattr(module, "BLEU", missing)
    with pytest.raises(PluginError, match=f"option 'tokenizer': {tokenizer} is not there .Please install") as caught:
        fetch(tokenizer=tokenizer)
    assert "\n" not in str(caught.value)


def test_a_vocabulary_that_was_downloaded_is_said_to_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    def download(**_: Any) -> Any:
        (tmp_path / "models").mkdir(exist_ok=True)
        (tmp_path / "models" / "flores200.model").touch()
        return SimpleNamespace()

    monkeypatch.setattr(module, "BLEU", download)
    monkeypatch.setattr(module, "SACREBLEU_DIR", str(tmp_path))
    assert fetch(tokenizer="flores200")
    assert not fetch(tokenizer="flores200")
    assert "fetch" in plugins.find("metrics", "overlap").functions


# In a cell ------------------------------------------------------------------------------------------------------------


def test_what_has_a_meaning_is_kept_and_the_rest_has_its_reason() -> None:
    made = evaluation(seq2seq.model(), seq2seq.data())
    vars(made).update(samples=[CHINESE] * 2, wanted=[CHINESE] * 2, references=[CHINESE] * 2)
    cell: Any = SimpleNamespace(metrics=[("overlap", {"bootstraps": 0, "tokenizer": "13a"})])
    scores, skipped, _ = execution._score(cell, made, exclusive=False)
    assert [score["metric"] for score in scores] == ["chrf", "rouge1", "rouge2", "rougeL", "exact_match"]
    assert skipped.keys() == {"overlap"}
    assert skipped["overlap"].startswith("bleu by 13a")


def test_a_value_that_no_table_holds_has_a_reason() -> None:
    logits = torch.zeros(256)
    logits[97] = -1e4
    made = evaluation(UnigramBytes(logits), texts(["aaa", "aa"]))
    scores, skipped, each = execution._score(SimpleNamespace(metrics=[("perplexity", {})]), made, exclusive=False)  # type: ignore[arg-type]
    assert [score["metric"] for score in scores] == ["perplexity", "bits_per_byte", "unrestored"]
    assert skipped == {"perplexity": "its value is inf"}
    assert set(each) == {"bits_per_byte"}


def test_what_a_metric_needs_is_missed_before_anything_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(**_: Any) -> Any:
        raise ImportError("Please install the sentencepiece library")

    monkeypatch.setattr(module, "BLEU", missing)
    options = {"bootstraps": 0, "tokenizer": "flores200"}
    model, budget = SimpleNamespace(family="seq2seq"), SimpleNamespace(threads=1)
    cell: Any = SimpleNamespace(model=model, chain=[], metrics=[("overlap", options)], budget=budget)
    with pytest.raises(PluginError, match=r"flores200 is not there .Please install the sentencepiece library"):
        execution._begin(cell)
