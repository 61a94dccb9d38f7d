"""The page as a browser gets it."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from bench.report import headlines, samples, sections, tables, wording
from bench.report import page as page_module
from bench.report.aggregate import summarise
from tests.report.frames import frame_of, seeds
from tests.report.runs import NO_FID

VOID = {"meta", "img", "br", "wbr", "col", "link", "input", "hr"}


class Reader(HTMLParser):
    """Collects elements and attributes; complains where elements do not nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def sentence_of(frame):
    """What the page says first of a run of one model, target and data size."""
    (section,) = sections.split(frame, summarise(frame), {"text": "bits_per_byte"})
    (answer,) = headlines.answers(section)
    source = '{% import "parts.html.jinja" as parts with context %}{{ parts.answer(answer, "", words) }}'
    return page_module.environment().from_string(source).render(answer=answer, words=wording)


@pytest.fixture(scope="session")
def read(page: Path) -> Reader:
    reader = Reader()
    reader.feed(page.read_text(encoding="utf-8"))
    assert reader.open == []
    return reader


def test_needs_nothing_beside_itself(read, page):
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in read.elements}
    for _, attributes in read.elements:
        assert not [name for name in attributes if name.startswith("on")]
        assert (attributes.get("src") or "data:").startswith("data:")
        assert (attributes.get("href") or "#").startswith("#") or attributes["href"] == "across.html"
    style = page.read_text(encoding="utf-8").partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_what_models_and_users_write_is_text(read, page):
    shown = "".join(read.text)
    assert "<script>alert('escaped?')</script> & <b>bold</b>" in shown
    assert "buys & costs <b>" in shown
    assert "input of size 15 <oops>" in shown
    assert "hint <i>escaped</i>" in shown
    assert not re.search("[\x00-\x08\x0e-\x1f]", page.read_text(encoding="utf-8"))


def test_every_section_has_its_parts(read):
    shown = " ".join("".join(read.text).split())
    for words in ("tiny_gpt2 → python_reference", "tiny_unet → handwritten_digits", "How to read this page"):
        assert words in shown
    for words in ("Quality against data", "Quality against cost", "Training curves", "Samples", "Costs"):
        assert shown.count(words) == 2
    for words in ("Chosen hyper-parameters", "What has no value, and why", "Other quality metrics"):
        assert shown.count(words) == 2


def test_the_floor_and_the_shift_are_told_apart(page):
    """A reader is to know which of the two no model can pass, and which it may."""
    html = page.read_text()
    assert re.search(r"real_data<span class=\"tag\">floor<", html)
    assert re.search(r"training_data<span class=\"tag\">domain shift of the split<", html)
    assert "no model can be expected to pass this floor" in html
    costs = html.split("<h3>Costs</h3>")[1].split("<details>")[0]
    assert "zero_shot" in costs
    assert "_data" not in costs


def test_costs_say_which_trials_they_are_of(read):
    shown = " ".join("".join(read.text).split())
    words = "training_… is of the chosen trial alone; tuning_seconds of all trials together; tuning_peak_… of the trial"
    assert shown.count(words) == 2
    assert "tuning_peak_rss" in shown.replace("\N{ZERO WIDTH SPACE}", "")


def test_numbers_stand_with_interval_direction_and_n(read):
    shown = " ".join("".join(read.text).split())
    assert "bits_per_byte in bits/byte · ↓ lower is better · mean ± 95 % interval over 2 to 3 seeds" in shown
    assert "over 2 to 3 seeds, each score on n = 412 · marks over seeds" in shown
    assert re.search(
        r"full_finetuning wins with 2\.\d+ ± 0\.\d+ bits/byte \(3 seeds\), 0\.\d+ \(0\.\d+ to 0\.\d+\) better than",
        shown,
    )


def test_says_what_marks_warrant(read):
    shown = " ".join("".join(read.text).split())
    for words in (
        "Together they hold the best approach of a column with 95 % confidence",
        "With one seed there is no interval and no mark",
        "Harm: worse than zero_shot",
        "Negative transfer: worse than from_scratch",
    ):
        assert words in shown
    assert "▼worse than zero_shot: 2." in shown, "distillation on text"


def test_failures_have_their_reasons(read):
    shown = " ".join("".join(read.text).split())
    for words in (
        "loss is NaN at step 17 in each of 3 trials",
        "50, 200 and 800 examples, seeds 0, 1 and 2",
        "soft_prompts needs text; diffusion has none",
        "one example at a time does not fit",
    ):
        assert words in shown


def test_a_score_that_is_missing_has_its_reason(read):
    shown = " ".join("".join(read.text).split())
    listed = shown.split("What has no value, and why")[2].split("What was asked")[0]
    assert listed.count(f"real_datanot measuredfidelity{NO_FID}") == 1, "of three seeds"


def test_says_what_was_asked_and_where(read):
    shown = " ".join("".join(read.text).split())
    for words in (
        "learning_rate: 0.0003, 0.001, 0.003",
        "steps 200, batch_size 16",
        "Example CPU @ 2.4 GHz, 2 cores, 7.8 GiB memory",
        "torch 2.9.0",
        "python_reference 5f3a9c0e1b2d4f68",
        "data_sizes: [50, 200, 800]",
    ):
        assert words in shown


def test_images_keep_square_pixels(read):
    grids = [attributes for tag, attributes in read.elements if tag == "img" and "Samples" in (attributes["alt"] or "")]
    assert len(grids) == 21  # two sizes, twelve approaches, three of them without samples at one or both
    assert {(grid["width"], grid["height"]) for grid in grids} == {("256", "128")}


def test_long_names_may_be_broken_and_stay_escaped():
    assert page_module.soft("a_b[c<d]") == "a_<wbr>b<wbr>[c&lt;d]"


@pytest.mark.parametrize(
    ("text", "shown"), [("a\x00b\x1b", "a\ufffdb\ufffd"), ("\ud83d", "\ufffd"), ("tab\t\n🐍", "tab\t\n🐍")]
)
def test_unprintable_characters_are_replaced(text, shown):
    assert page_module.printable(text) == shown


def test_long_texts_are_shortened():
    assert samples.shortened("short") == "short"
    assert len(samples.shortened("x" * 1000)) < 300


def test_the_only_approach_says_which_of_its_seeds_ended_badly():
    diverged = ("diverged", "loss is nan")
    frame = frame_of({("a", 50): seeds(0.8, 0.81, diverged, diverged, diverged)})
    assert "the only approach with a value: 0.805\xa0±\xa00.064 (2 of 5 seeds; 3 diverged)." in sentence_of(frame)
    single = frame_of({("a", 50): seeds(0.8, diverged), ("b", 50): seeds(0.9)})
    assert "the best value, 0.800 (1 of 2 seeds; 1 diverged);" in sentence_of(single)


def test_sentences_say_what_the_mark_says_where_the_interval_is_wider():
    """The set leaves b out; the interval of how far it is behind begins at 0."""
    values = {("a", 50): seeds(1.0, 1.1, 1.2), ("b", 50): seeds(1.02, 1.14, 1.21)}
    values |= {("c", 50): seeds(1.41, 1.5, 1.6), ("d", 50): seeds(1.6, 1.72, 1.8)}
    column = summarise(frame_of(values)).set_index("approach")
    assert (column["mark"]["b"], column["behind_low"]["b"]) == ("", 0.0)
    shown = sentence_of(frame_of(values)).replace("\xa0", " ")
    assert "alone may be the best, with 1.10 ± 0.25 (3 seeds)" in shown
    assert "ahead of the next best, b, by 0.023; up to 0.047." in shown
    assert "wins" not in shown
    assert "at most" not in shown


def test_what_was_not_compared_has_a_sign_with_words():
    values = {("a", 50): seeds(1.0, 1.01, 1.02), ("b", 50): seeds(2.0, 2.01, 1.99), ("c", 50): {0: 0.5}}
    frame = frame_of(values)
    (section,) = sections.split(frame, summarise(frame), {"text": "bits_per_byte"})
    source = (
        '{% import "parts.html.jinja" as parts with context %}'
        "{{ parts.quality_table(table, {'best': '★', 'uncompared': '?'}, words) }}"
    )
    table = tables.side_by_side(section, "bits_per_byte")
    html = page_module.environment().from_string(source).render(table=table, words=wording)
    (entry,) = re.findall(r'<td class="uncompared">.*', html)
    words = "not compared: too few seeds in common with the others"
    assert f'title="{words}">?<' in entry
    assert f'<span class="hidden">{words}: </span>0.500' in entry


def test_a_sentence_names_few_and_counts_the_rest():
    random = np.random.default_rng(0)
    shown = sentence_of(frame_of({(f"a{index}", 50): seeds(*random.normal(size=3)) for index in range(9)}))
    assert shown.count(" behind, at") == 5
    assert "or one of 3 more" in shown
    assert "nothing can be told apart" in shown
    assert "More seeds would tell more." in shown
