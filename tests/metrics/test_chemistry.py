"""Scores of molecules that are known in closed form or published, and ChemNet's distances."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rdkit import Chem
from rdkit.Chem.QED import qed as qed_of
from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator
from rdkit.Chem.rdMolDescriptors import CalcCrippenDescriptors
from rdkit.DataStructs import TanimotoSimilarity

from bench import plugins
from bench.dataset import Dataset
from bench.errors import NotApplicable
from bench.evaluation import Evaluation, Score, Training
from bench.features.chemnet import Chemnet
from bench.metrics import _features
from bench.metrics import chemistry as module
from bench.metrics._distributions import frechet_distance, kernel_distance
from bench.metrics._molecules import canonical
from bench.metrics.chemistry import chemistry
from bench.metrics.frechet_chemnet import PRIMARY, frechet_chemnet
from bench.metrics.smiles_likelihood import smiles_likelihood
from tests.metrics.doubles import measured
from tests.small import molecules as small

TEST = ["CCO", "CCN", "c1ccccc1O", "CC(=O)O", "CCCCO", "c1ccc2ccccc2c1"]
TRAIN = ["CCO", "CCCl"]


def evaluation(samples: list[str], test: list[str] = TEST, train: list[str] = TRAIN) -> Evaluation:
    """Of a model that drew these samples."""
    model: Any = None
    data = Dataset("molecules", "molecule", train, ["C"], test)
    made = Evaluation(model, data, lambda split: {}, len(samples), 4, 0, Training())
    made.__dict__["samples"] = samples  # as if they had been drawn
    return made


def logp_of(molecule: Any) -> float:
    return float(CalcCrippenDescriptors(molecule)[0])


def scores(samples: list[str], **splits: list[str]) -> dict[str, Score]:
    return measured(chemistry, evaluation(samples, **splits))[0]


def test_validity_uniqueness_and_novelty_are_counted(capfd: pytest.CaptureFixture[str]) -> None:
    found = scores(["CCO", "OCC", "CCBr", "C(", "", "CC O", "CN(C)(C)(C)C", "c1cccc1"])
    assert (found["validity"].value, found["validity"].n) == (3 / 8, 8)
    assert found["validity"].error == pytest.approx(math.sqrt(3 / 8 * 5 / 8 / 8))
    assert (found["uniqueness"].value, found["uniqueness"].n) == (2 / 3, 3)
    assert (found["novelty"].value, found["novelty"].n) == (1 / 2, 2)
    assert capfd.readouterr().err == "", "RDKit is quiet"


@pytest.mark.parametrize("text", ["", "CC O", "CC\n", "CC\x00", "\ufffdCC", "日", "C(", "F(F)F", "CC>>CC"])
def test_what_is_no_molecule(text: str) -> None:
    assert canonical([text, "OCC"]) == ["CCO"]


@pytest.mark.parametrize("samples", [["C(", "("], ["C(", "CCO"]])
def test_without_two_molecules_validity_stands_alone(samples: list[str]) -> None:
    found, reason = measured(chemistry, evaluation(samples))
    assert list(found) == ["validity"]
    assert reason == f"all but validity needs at least 2 valid samples; {samples.count('CCO')} of 2 are"


def test_a_test_split_without_molecules_or_scaffolds_has_nothing_to_be_like() -> None:
    """It would be 0 of whatever is drawn; where only the samples have none it is."""
    drawn = ["CCO", "c1ccc2ccccc2c1"]
    found, reason = measured(chemistry, evaluation(drawn, test=["CC", "C1CC1"]))
    assert "scaffold_similarity" not in found
    assert "qed_distance" in found
    assert reason == "scaffold_similarity needs test items of 2 rings; there are none"
    assert scores(["CCO", "CC"], test=drawn)["scaffold_similarity"].value == 0
    found, reason = measured(chemistry, evaluation(drawn, test=["no molecule"]))
    assert list(found) == ["validity"]
    assert "there are none" in reason


def test_internal_diversity_is_that_of_all_pairs_each_with_itself_too() -> None:
    drawn = ["CCO", "CCN", "c1ccccc1", "CCO"]
    generator = GetMorganGenerator(radius=2, fpSize=1024)
    prints = [generator.GetFingerprint(Chem.MolFromSmiles(one)) for one in drawn]
    similar = np.array([[TanimotoSimilarity(one, other) for one in prints] for other in prints])
    score = scores(drawn)["internal_diversity"]
    assert score.value == pytest.approx(1 - similar.mean())
    without = [1 - np.delete(np.delete(similar, i, 0), i, 1).mean() for i in range(4)]
    assert score.error == pytest.approx(math.sqrt(3 / 4 * sum((value - np.mean(without)) ** 2 for value in without)))
    assert scores(["CCO"] * 5)["internal_diversity"].value == pytest.approx(0)


def test_two_molecules_without_anything_in_common_have_diversity_one_half() -> None:
    assert scores(["[Na+].[Cl-]", "CC"])["internal_diversity"].value == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("smiles", "qed", "logp"),
    [
        # QED as RDKit's documentation and tests have it, Crippen's logP of Wildman and Crippen's contributions
        ("N=C(CCSCc1csc(N=C(N)N)n1)NS(N)(=O)=O", 0.253, None),
        ("CNC(=NCCSCc1nc[nH]c1C)NC#N", 0.234, None),
        ("CCCCCNC(=N)NN=Cc1c[nH]c2ccc(CO)cc12", 0.234, None),
        ("c1ccccc1", None, 1.6866),
        ("CCO", None, -0.0014),
    ],
)
def test_qed_and_logp_are_the_published_ones(smiles: str, qed: float | None, logp: float | None) -> None:
    molecule = Chem.MolFromSmiles(smiles)
    if qed is not None:
        assert qed_of(molecule) == pytest.approx(qed, abs=1e-3)
    if logp is not None:
        assert logp_of(molecule) == pytest.approx(logp, abs=1e-4)


def test_property_distances_are_those_between_the_distributions() -> None:
    """Of as many samples as test items, Wasserstein-1 is the mean gap between the sorted values."""
    drawn = ["CCCC", "CCCCC", "c1ccccc1", "CO", "CCC#N", "OCCO"]
    found = scores(drawn)
    for name, of in {"qed": qed_of, "logp": logp_of}.items():
        ours, theirs = (np.sort([of(Chem.MolFromSmiles(one)) for one in side]) for side in (drawn, TEST))
        assert found[f"{name}_distance"].value == pytest.approx(np.abs(ours - theirs).mean())
    same = scores(TEST)
    assert same["qed_distance"].value == same["logp_distance"].value == 0


def test_scaffold_similarity_is_the_cosine_of_counts_of_two_rings_and_more() -> None:
    naphthalene, biphenyl, benzene = "c1ccc2ccccc2c1", "c1ccc(-c2ccccc2)cc1", "c1ccccc1"
    found = scores([f"C{naphthalene}", f"CC{biphenyl}", biphenyl, benzene], test=[naphthalene, benzene, "CC"])
    assert found["scaffold_similarity"].value == pytest.approx(1 / math.sqrt(5))
    assert scores(["CC", "CCC"])["scaffold_similarity"].value == 0


def test_errors_are_the_spread_over_repeated_samples() -> None:
    random = np.random.default_rng(0)
    references = random.normal(size=80)
    found = [module._distance(random.normal(0.5, 1.5, size=40), references) for _ in range(100)]
    assert np.mean([error for _, error in found]) == pytest.approx(np.std([value for value, _ in found]), rel=0.2)
    known = [Chem.MolFromSmiles(one) for one in [*small.source().train, *TEST]]
    found = [module._internal_diversity([known[i] for i in random.integers(len(known), size=20)]) for _ in range(100)]
    assert np.mean([error for _, error in found]) == pytest.approx(np.std([value for value, _ in found]), rel=0.3)


# ChemNet --------------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSFERBENCH_CACHE", str(tmp_path))
    _features.space.cache_clear()


def narrow(monkeypatch: pytest.MonkeyPatch, dimensions: int) -> None:
    """A ChemNet of its first features: the Fréchet distance takes more molecules than there are."""
    whole = Chemnet.__call__
    monkeypatch.setattr(Chemnet, "__call__", lambda self, items: whole(self, items)[:, :dimensions])
    _features.space.cache_clear()


def test_distances_are_of_the_valid_samples_in_chemnet_s_space(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch, 3)
    drawn = ["CCO", "C(", "CCCN", "c1ccccc1", "OCCO"]
    fcd, mmd = frechet_chemnet(evaluation(drawn))
    extract = plugins.find("features", "chemnet").load()()
    ours, theirs = (extract(side).astype(float) for side in (canonical(drawn), TEST))
    assert (fcd.metric, mmd.metric, fcd.n, mmd.n) == ("fcd", PRIMARY, 4, 4)
    assert fcd.value == pytest.approx(frechet_distance(ours, theirs), rel=1e-4)
    assert (mmd.value, mmd.error) == pytest.approx(kernel_distance(ours, theirs)[:2], rel=1e-4)


@pytest.mark.parametrize(
    ("samples", "test", "dimensions", "found"),
    [
        (["CCO", "C(", "CCCN", "c1ccccc1"], TEST, 512, "4 and 6"),
        (["CCO", "CO", "CCCN", "c1ccccc1", "OCCO", "OCO", "C("], TEST, 6, "7 and 6"),
        (["CCO", "C(", "CCCN", "c1ccccc1"], TEST, 3, "4 and 6, and too few of the samples are valid"),
    ],
)
def test_a_frechet_distance_takes_more_valid_molecules_than_dimensions(
    samples: list[str], test: list[str], dimensions: int, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow(monkeypatch, dimensions)
    scores, reason = measured(frechet_chemnet, evaluation(samples, test))
    assert {name: score.n for name, score in scores.items()} == {PRIMARY: len(canonical(samples))}
    needed = f"fcd needs more than {dimensions} samples and test items, the dimensions of its features"
    assert reason == f"{needed}; there are {found}"


def test_other_molecules_are_farther_than_those_of_the_same_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    sulfur, other = (plugins.find("datasets", f"nci_{name}").load()() for name in ("organosulfur", "polycyclics"))
    near, far = (evaluation(drawn[:40], test=sulfur.test[:40]) for drawn in (sulfur.validation, other.test))
    one, another = (measured(frechet_chemnet, side)[0][PRIMARY] for side in (near, far))
    assert one.error is not None
    assert another.value > max(one.value, 4 * one.error)
    narrow(monkeypatch, 16)
    one, another = (frechet_chemnet(side)[0] for side in (near, far))
    assert (one.metric, another.metric) == ("fcd", "fcd")
    assert one.value < another.value


def test_too_few_molecules_are_one_clear_line() -> None:
    with pytest.raises(NotApplicable, match="at least 3 valid samples and test items; there are 2 of 3 and 6"):
        frechet_chemnet(evaluation(["CCO", "CC", "C("]))


# Likelihood -----------------------------------------------------------------------------------------------------------


def test_uniform_predictions_cost_the_logarithm_of_the_vocabulary_for_each_token_and_the_end() -> None:
    model, data = small.model(), small.data()
    model.network.lm_head.weight = torch.nn.Parameter(torch.zeros_like(model.network.lm_head.weight))
    made = Evaluation(model, data, lambda split: model.encode(getattr(data, split)), 4, 4, 0, Training())
    molecule, token, unrestored = smiles_likelihood(made)
    assert (unrestored.metric, unrestored.value) == ("unrestored", 0)
    nats = math.log(len(model.tokenizer))
    assert token.value == pytest.approx(nats, rel=1e-5)
    assert token.error == pytest.approx(0, abs=1e-6)
    assert molecule.value == pytest.approx(nats * np.mean([len(smiles) + 1 for smiles in data.test]), rel=1e-5)
    assert {score.better for score in (molecule, token)} == {"lower"}
    assert {score.n for score in (molecule, token)} == {6}
