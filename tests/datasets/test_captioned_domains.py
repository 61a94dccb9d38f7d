"""The captioned domains: the pictures of the image domains, and captions that say what they show."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from bench import plugins
from bench.dataset import SPLITS, Columns, Dataset, fingerprint
from bench.datasets import captioned_digits, captioned_glyphs, glyphs, handwritten_digits
from bench.datasets._captions import spoken
from bench.errors import PluginError

NAMES = ("captioned_digits", "captioned_glyphs")
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@pytest.fixture(scope="module")
def domains() -> dict[str, Dataset]:
    return {name: plugins.find("datasets", name).load()() for name in NAMES}


def columns(data: Dataset, split: str) -> Columns:
    items = getattr(data, split)
    assert isinstance(items, Columns)
    return items


@pytest.mark.parametrize("name", NAMES)
def test_plugin_tells_its_modality_and_summary(name: str, domains: dict[str, Dataset]) -> None:
    plugin, data = plugins.find("datasets", name), domains[name]
    assert plugin.constants["MODALITY"] == data.modality == "captioned_image"
    assert plugin.summary.endswith(".")
    assert data.name == name
    assert all(columns(data, split).names == ["caption", "images"] for split in SPLITS)


def test_digits_are_the_handwritten_ones_and_captions_say_which(domains: dict[str, Dataset]) -> None:
    for split, (images, digits) in handwritten_digits.labelled().items():
        items = columns(domains["captioned_digits"], split)
        assert np.array_equal(items["images"], images)
        assert items["caption"] == [f"a handwritten {NUMBERS[int(digit)]}" for digit in digits]


def test_captions_of_glyphs_name_style_and_character(domains: dict[str, Dataset]) -> None:
    style = "(a|an)( bold)?( italic)? (serif|sans serif|monospaced)"
    form = re.compile(rf"{style} (capital [A-Z]|small [a-z]|{'|'.join(NUMBERS)})")
    for split, (images, characters) in glyphs.labelled().items():
        items = columns(domains["captioned_glyphs"], split)
        assert np.array_equal(items["images"], images)
        for caption, character in zip(items["caption"], characters, strict=True):
            assert form.fullmatch(caption), caption
            assert caption.endswith(f" {spoken(character)}")
            assert caption.startswith("an ") == caption.split()[1].startswith(tuple("aeiou"))


def test_styles_of_held_out_fonts_are_known_from_training(domains: dict[str, Dataset]) -> None:
    data = domains["captioned_glyphs"]
    styles = {
        split: {re.sub(r" (capital .|small .|\w+)$", "", caption) for caption in columns(data, split)["caption"]}
        for split in SPLITS
    }
    assert len(styles["train"]) == 12, "three kinds, bold or not, slanted or not"
    assert styles["validation"] | styles["test"] <= styles["train"]


@pytest.mark.parametrize(
    ("font", "said"),
    [
        ("DejaVuSans.ttf", "a sans serif"),
        ("DejaVuSansMono-BoldOblique.ttf", "a bold italic monospaced"),
        ("STIXGeneralBolIta.ttf", "a bold italic serif"),
        ("cmb10.ttf", "a bold serif"),
        ("cmti10.ttf", "an italic serif"),
        ("cmtt10.ttf", "a monospaced"),
        ("cmss10.ttf", "a sans serif"),
        ("cmr10.ttf", "a serif"),
    ],
)
def test_the_style_of_a_font(font: str, said: str) -> None:
    assert captioned_glyphs.style(font) == said


def test_bold_letters_have_more_ink(domains: dict[str, Dataset]) -> None:
    items = columns(domains["captioned_glyphs"], "train")
    bold = np.array([" bold " in caption for caption in items["caption"]])
    ink = items["images"].mean(axis=(1, 2, 3))
    assert ink[bold].mean() > 1.2 * ink[~bold].mean()


def test_upper_and_lower_case_are_told_by_words() -> None:
    """Text encoders such as CLIP's read no upper case."""
    assert [spoken(character) for character in "Aa7"] == ["capital A", "small a", "seven"]


@pytest.mark.parametrize("name", NAMES)
def test_sub_domains_are_what_captions_end_in(name: str, domains: dict[str, Dataset]) -> None:
    data = domains[name]
    assert data.groups is not None
    assert data.groups.dtype == np.int64
    ends = [caption.split()[-1] for caption in columns(data, "train")["caption"]]
    assert len(set(zip(ends, data.groups.tolist(), strict=True))) == len(set(ends)) == len(set(data.groups.tolist()))
    assert np.bincount(data.groups).min() >= 32


def test_digits_alone_are_some_of_all(domains: dict[str, Dataset]) -> None:
    few = captioned_glyphs.captioned_glyphs(characters="digits")
    for split in SPLITS:
        every = columns(domains["captioned_glyphs"], split)
        known = {image.tobytes() for image in every["images"]}
        items = columns(few, split)
        assert {caption.split()[-1] for caption in items["caption"]} == set(NUMBERS)
        # of near-duplicates another one may have been left out
        assert np.mean([image.tobytes() in known for image in items["images"]]) > 0.9


@pytest.mark.parametrize("module", [captioned_digits, captioned_glyphs])
def test_a_size_out_of_range_is_named(module: object) -> None:
    name = module.__name__.rpartition(".")[2]  # type: ignore[attr-defined]
    with pytest.raises(PluginError, match="option 'size': 7 will not do; it should be 8 to 128"):
        getattr(module, name)(size=7)


def test_another_process_makes_the_same_items_without_torch(domains: dict[str, Dataset]) -> None:
    build = (
        "import sys; from bench import plugins\n"
        f"for name in {NAMES}: print(plugins.find('datasets', name).load()().fingerprint)\n"
        "print('torch' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    said = subprocess.run([sys.executable, "-c", build], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    assert said.stdout.split() == [*(fingerprint(domains[name]) for name in NAMES), "False"]
