"""How close each translated picture comes to the one that the test split has for it."""

import math

import numpy as np

from bench import plugins
from bench.errors import NotApplicable, PluginError
from bench.evaluation import Evaluation, Score
from bench.metrics._items import by_condition, standard_error
from bench.metrics._similarity import WINDOW, structural_similarity

NEEDS = ("condition", "image")
PRIMARY = "paired_mae"


def paired_error(evaluation: Evaluation) -> list[Score]:
    """Mean absolute and root mean square error between generated and true targets, and their structural similarity.

    It takes a domain whose test items are pairs of pictures of one thing (its module states ``PAIRED = True``). Errors
    are in grey levels of 255. Pictures of less than 11 pixels' side have no structural similarity. Standard errors are
    over the pictures.

    Paper: Wang et al. (2004), Image Quality Assessment: From Error Visibility to Structural Similarity.
    """
    name = evaluation.data.name
    if not _is_paired(name):
        raise NotApplicable(f"test items of {name} are no pairs of pictures of one thing, so there is no true target")
    made, wanted = np.asarray(evaluation.samples), np.asarray(evaluation.wanted)
    differences = (made.astype(float) - wanted).reshape(len(made), -1)
    absolute, squares, n = np.abs(differences).mean(1), (differences**2).mean(1), len(made)
    root, spread = math.sqrt(squares.mean()), standard_error(squares)
    slope = 1 / (2 * root) if root else 1.0
    each, each_root = by_condition(evaluation, absolute), by_condition(evaluation, squares, value=root, slope=slope)
    scores = [
        Score("paired_mae", float(absolute.mean()), "levels", "lower", n, standard_error(absolute), each),
        Score("paired_rmse", root, "levels", "lower", n, spread / (2 * root) if spread and root else spread, each_root),
    ]
    if min(made.shape[1:3]) < WINDOW:
        raise NotApplicable(f"ssim needs pictures of {WINDOW} pixels' side; these have {min(made.shape[1:3])}", scores)
    alike = structural_similarity(made, wanted)
    each = by_condition(evaluation, alike)
    return [*scores, Score("ssim", float(alike.mean()), "", "higher", n, standard_error(alike), each)]


def _is_paired(name: str) -> bool:
    try:
        return bool(plugins.find("datasets", name).constants.get("PAIRED", False))
    except PluginError:
        return False
