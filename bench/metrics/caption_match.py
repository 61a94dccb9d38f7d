"""Whether pictures show what their captions say."""

from pathlib import Path
from typing import Any

import numpy as np

from bench import plugins
from bench.dataset import Columns
from bench.errors import NotApplicable
from bench.evaluation import Evaluation, Score
from bench.metrics._clip import clip_score
from bench.metrics._items import by_condition, standard_error

NEEDS = ("image", "caption", "samples")
PRIMARY = "caption_match[{space}]"
HUB = ("clip",)


def caption_match(evaluation: Evaluation, *, space: str = "digit_classifier", clip: str = "") -> list[Score]:
    """Share of the samples that a classifier takes for what their caption names; CLIPScore where weights are given.

    What it names is the character alone, not a style such as bold. The classifier chooses among what these captions
    name. It is not always right: beside stands the share of the test split's real pictures that it takes for what
    theirs name. Captions that name nothing it knows are left out. The CLIPScore is the mean of 2.5 max(cos, 0) of the
    embeddings of a picture and of its caption after "A photo depicts", and beside it stands that of the real pictures.
    ``truncated_captions`` is the share of the test split's captions that are too long for the model to read whole,
    ``clip_truncated_captions`` of those that are too long for CLIP, which judges their beginning. Where all captions
    name the same, the classifier has no choice, and there is no match.

    Paper: Hessel et al. 2021, CLIPScore: A Reference-free Evaluation Metric for Image Captioning

    Args:
        space: a feature space that has ``named(caption)`` and ``classify(images, among)``.
        clip: folder or hub id of a CLIP model in transformers' form, with its tokenizer and image processor.
    """
    asked, real, read = evaluation.conditions, evaluation.data.test, evaluation.model.decode(evaluation.encode("test"))
    assert asked is not None
    assert isinstance(real, Columns)
    assert isinstance(read, Columns)
    pairs = {"": (asked["caption"], evaluation.samples), "_of_real_images": (real["caption"], evaluation.references)}
    right = _right(space, pairs)
    if not right and not clip:
        example = real["caption"][0]
        found = f"{space} knows no two things that captions here name, such as {example!r}"
        raise NotApplicable(f"{found}; name clip weights")
    scores = [
        _mean(f"caption_match{of}[{space}]", values, of, by_condition(evaluation, values, kept))
        for of, (values, kept) in right.items()
    ]
    for of, (captions, images) in pairs.items() if clip else ():
        values = clip_score(clip)(list(captions), images)
        scores.append(_mean(f"clip_score{of}[{Path(clip).name}]", values, of, by_condition(evaluation, values)))
    if clip:
        share = clip_score(clip).truncated(list(real["caption"]))
        scores.append(Score(f"clip_truncated_captions[{Path(clip).name}]", share, "", "none", len(real["caption"])))
    cut = [
        _letters(shorter) < _letters(caption) for shorter, caption in zip(read["caption"], real["caption"], strict=True)
    ]
    return [*scores, Score("truncated_captions", sum(cut) / len(cut), "", "none", len(cut))]


def _letters(caption: str) -> int:
    """How many, white space left out, which tokenizers take in several ways."""
    return len("".join(caption.split()))


def _right(name: str, pairs: dict[str, tuple[Any, Any]]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """For each picture whose caption names something whether it shows it, and which ones these are; empty where
    captions name less than two things, since the classifier chooses among what they name."""
    plugin = plugins.find("features", name)
    space = plugin.load()(**plugin.check({}))
    if not hasattr(space, "classify"):
        raise NotApplicable(f"{name} tells no classes apart; name a feature space that does: digit_classifier")
    named = {of: np.array([space.named(caption) for caption in captions]) for of, (captions, _) in pairs.items()}
    among = sorted({str(said) for said in np.concatenate(list(named.values())) if said})
    if len(among) < 2:
        return {}
    kept = {of: np.flatnonzero(said != "") for of, said in named.items()}
    return {
        of: ((named[of][which] == space.classify(pairs[of][1][which], among)).astype(float), which)
        for of, which in kept.items()
        if len(which)
    }


def _mean(metric: str, values: np.ndarray, of: str, each: np.ndarray | None) -> Score:
    error = standard_error(values)
    return Score(metric, float(values.mean()), "", "none" if of else "higher", len(values), error, None if of else each)
