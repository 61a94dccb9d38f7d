"""Whether pictures show what captions say: with real digits, swapped ones, and a CLIP model computed by hand."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

from bench.dataset import Columns, Dataset
from bench.datasets.captioned_digits import captioned_digits
from bench.errors import CheckpointError, NotApplicable
from bench.evaluation import Evaluation, Score, Training
from bench.families._stable_diffusion import clip_tokenizer
from bench.features.digit_classifier import DigitClassifier
from bench.metrics._clip import ClipScore
from bench.metrics.caption_match import caption_match

CAPTIONS = ["a disc of light", "one bar", "a handwritten seven"]


class Remembers:
    """A model that draws what it is told to."""

    generated, offers = "images", frozenset({"image", "caption", "condition", "samples"})

    def decode(self, batch: Any) -> Columns:
        columns: Columns = batch
        return columns


def evaluation(test: Columns, drawn: Columns, read: Columns | None = None) -> Evaluation:
    """``read`` is what a model's rows hold of the test split; by default all of it."""
    data, rows = Dataset("drawn", "captioned_image", test[:1], test[:1], test), read or test
    made = Evaluation(Remembers(), data, lambda split: rows, len(drawn), 4, 0, Training())  # type: ignore
    made.__dict__["sampled"] = drawn
    return made


def scores(test: Columns, drawn: Columns, **options: Any) -> dict[str, Score]:
    return {score.metric: score for score in caption_match(evaluation(test, drawn), **options)}


def both(test: Columns, drawn: Columns) -> tuple[Score, Score]:
    """Of the samples, and of the real pictures."""
    found = scores(test, drawn)
    return found["caption_match[digit_classifier]"], found["caption_match_of_real_images[digit_classifier]"]


def digits(count: int = 60) -> Columns:
    test = captioned_digits().test
    assert isinstance(test, Columns)
    found: Columns = test[:count]
    return found


def test_right_pictures_match_their_captions() -> None:
    test = digits()
    share, real = both(test, test)
    assert share.value == real.value > 0.95
    assert (share.n, share.better, real.better) == (60, "higher", "none")


def test_the_share_is_that_of_the_samples_and_its_error_binomial() -> None:
    """A third of the pictures show another digit."""
    test, more = digits(), digits(200)
    names = list(more["caption"])
    other = [next(i for i, name in enumerate(names) if name != one) for one in test["caption"]]
    shown = [more["images"][other[i]] if i % 3 == 0 else image for i, image in enumerate(test["images"])]
    share, real = both(test, Columns({"caption": test["caption"], "images": np.stack(shown)}))
    assert share.value == pytest.approx(real.value * 2 / 3, abs=0.03)
    assert share.error == pytest.approx((share.value * (1 - share.value) / 59) ** 0.5)


def test_samples_may_be_coloured_and_of_another_size() -> None:
    test = digits(40)
    large = np.repeat(np.repeat(np.repeat(test["images"], 2, 1), 2, 2), 3, 3)
    share, real = both(test, Columns({"caption": test["caption"], "images": large}))
    assert share.value == pytest.approx(real.value, abs=0.03)


def test_captions_that_name_nothing_are_left_out() -> None:
    test = digits(20)
    captions = [caption if index < 12 else "some scribble" for index, caption in enumerate(test["caption"])]
    named = Columns({"caption": captions, "images": test["images"]})
    share, real = both(named, named)
    assert (share.n, real.n) == (12, 12)


def test_captions_are_judged_in_full_and_those_that_are_cut_are_counted() -> None:
    """The last word says which digit it is, and no row holds it."""
    test = digits(10)
    cut = Columns({"caption": ["a handwr"] * 10, "images": test["images"]})
    found = {score.metric: score for score in caption_match(evaluation(test, cut, read=cut))}
    assert found["caption_match[digit_classifier]"].n == 10
    assert found["truncated_captions"].value == 1
    assert scores(test, test)["truncated_captions"].value == 0


def test_where_no_caption_names_anything_it_says_so() -> None:
    test = Columns({"caption": ["a cat"] * 3, "images": digits(3)["images"]})
    with pytest.raises(NotApplicable, match="knows no two things that captions here name, such as 'a cat'; name clip"):
        scores(test, test)


def test_a_space_without_classes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(DigitClassifier, "classify")
    with pytest.raises(NotApplicable, match="digit_classifier tells no classes apart"):
        scores(digits(3), digits(3))


# CLIPScore ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small CLIP model on disk."""
    folder = tmp_path_factory.mktemp("clip") / "tiny-clip"
    tokenizer = clip_tokenizer(CAPTIONS, 560, 24)
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    text = {"vocab_size": len(tokenizer), "hidden_size": 8, "intermediate_size": 8, "max_position_embeddings": 24}
    image = {"hidden_size": 8, "intermediate_size": 8, "image_size": 16, "patch_size": 8}
    small = {"num_hidden_layers": 1, "num_attention_heads": 2}
    torch.manual_seed(0)
    model = CLIPModel(CLIPConfig(text_config=text | small | ends, vision_config=image | small, projection_dim=6))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    CLIPImageProcessor(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}).save_pretrained(folder)
    return folder


def test_clip_score_is_two_and_a_half_times_the_cosine(clip: Path) -> None:
    images = digits(3)["images"]
    model, processor = CLIPModel.from_pretrained(clip).eval(), CLIPImageProcessor.from_pretrained(clip)
    tokenizer, wanted = clip_tokenizer(CAPTIONS, 560, 24), list[float]()
    with torch.no_grad():
        for caption, image in zip(CAPTIONS, images, strict=True):
            coloured = Image.fromarray(np.repeat(image, 3, -1))
            pixels = processor(images=coloured, return_tensors="pt")["pixel_values"]
            ids = torch.tensor([tokenizer(f"A photo depicts {caption}")["input_ids"]])
            out = model(input_ids=ids, pixel_values=pixels)
            wanted.append(2.5 * max(float((out.image_embeds * out.text_embeds).sum()), 0))
    found = ClipScore(str(clip))(CAPTIONS, images)
    assert found == pytest.approx(wanted, abs=1e-5)
    assert len({round(value, 6) for value in wanted}) > 1


def test_clip_scores_stand_beside_the_match_and_alone(clip: Path) -> None:
    test = digits(6)
    found = scores(test, test, clip=str(clip))
    assert list(found)[2:4] == ["clip_score[tiny-clip]", "clip_score_of_real_images[tiny-clip]"]
    assert found["clip_truncated_captions[tiny-clip]"].value == 0
    assert found["clip_score[tiny-clip]"].value == found["clip_score_of_real_images[tiny-clip]"].value
    nameless = Columns({"caption": ["a cat"] * 6, "images": test["images"]})
    assert list(scores(nameless, nameless, clip=str(clip))) == list(found)[2:]


def test_captions_that_clip_does_not_read_whole_are_counted(clip: Path) -> None:
    images = digits(4)["images"]
    long = Columns({"caption": ["one bar", "one bar " * 20, "a disc", "a disc of light " * 20], "images": images})
    assert scores(long, long, clip=str(clip))["clip_truncated_captions[tiny-clip]"].value == 0.5


def test_a_classifier_without_a_choice_says_nothing() -> None:
    """It chooses among what captions name: of one thing all pictures would show it."""
    test = digits()
    same = [i for i, caption in enumerate(test["caption"]) if caption == test["caption"][0]]
    one = Columns({"caption": [test["caption"][i] for i in same], "images": test["images"][::-1][same]})
    with pytest.raises(NotApplicable, match="knows no two things"):
        scores(one, one)


def test_other_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=f"CLIP weights {tmp_path}: not a CLIPModel") as caught:
        ClipScore(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_token_that_clip_does_not_know_is_named_when_it_is_loaded(clip: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(clip, tmp_path / "clip")
    more = clip_tokenizer(CAPTIONS, 560, 24)
    more.add_tokens(["<cat>"])
    more.save_pretrained(folder)
    with pytest.raises(CheckpointError, match=r"has the token '<cat>' with the id \d+, the network knows \d+ tokens"):
        ClipScore(str(folder))


def test_clip_weights_of_another_network_than_the_config_s(clip: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(clip, tmp_path / "clip")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"projection_dim": 5}))
    with pytest.raises(CheckpointError, match=r"projection.weight is 6×8 in its file and 5×8 by its config.json"):
        ClipScore(str(folder))
