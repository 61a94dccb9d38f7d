"""Whether samples are molecules, new ones, different ones, and of the target's kind."""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from rdkit import Chem
from rdkit.Chem.QED import qed
from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator
from rdkit.Chem.rdMolDescriptors import CalcCrippenDescriptors
from rdkit.Chem.Scaffolds.MurckoScaffold import MurckoScaffoldSmiles
from rdkit.DataStructs import BulkTanimotoSimilarity
from rdkit.rdBase import BlockLogs
from scipy.stats import wasserstein_distance

from bench.errors import NotApplicable
from bench.evaluation import Evaluation, Score
from bench.metrics._items import jackknife
from bench.metrics._molecules import canonical

NEEDS = ("molecule", "samples")
EXTRA = "molecules"

_RINGS = 2  # of a scaffold that counts, as in MOSES


def chemistry(evaluation: Evaluation) -> list[Score]:
    """Validity, uniqueness, novelty and internal diversity of sampled molecules; QED, logP, scaffolds against the test.

    All but validity are of the valid samples, whose number each score states; where there are fewer than two, validity
    stands alone. Uniqueness is the share of different molecules among them, novelty the share of these that the cell
    did not learn from (what is recited from pretraining counts as new). Internal diversity is 1 minus the mean Tanimoto
    similarity of all pairs of Morgan fingerprints (radius 2, 1024 bits; each molecule with itself included, p = 1). QED
    and logP (Crippen) are Wasserstein-1 distances between the samples' values and the test split's. Scaffold similarity
    is the cosine of the counts of Bemis-Murcko scaffolds of at least two rings, 0 where no sample has one. Uniqueness,
    internal diversity and scaffold similarity depend on the number of samples: compare at equal N. So do the distances,
    a little; the floor's are taken to the other cells' sizes (see real_data). Standard errors are over samples, for
    this test split; all but those of validity and novelty are the delete-one jackknife's.

    Paper: Polykovskiy et al. (2020), Molecular Sets (MOSES); Benhenda (2017) (internal diversity); Bickerton et al.
    (2012) (QED); Wildman, Crippen (1999) (logP).
    """
    drawn, total = canonical(evaluation.samples), len(evaluation.samples)
    share = len(drawn) / total
    scores = [Score("validity", share, "", "higher", total, math.sqrt(share * (1 - share) / total))]
    n = len(drawn)
    if n < 2:
        raise NotApplicable(f"all but validity needs at least 2 valid samples; {n} of {total} are", scores)
    test = canonical(evaluation.data.test)
    if not test:
        raise NotApplicable("all but validity needs molecules in the test split; there are none", scores)
    different, known = set(drawn), set(canonical(evaluation.data.train))
    new = len(different - known) / len(different)
    samples, references = _read(drawn), _read(test)
    scale = math.sqrt(evaluation.shrinkage)
    diversity, diversity_error = _internal_diversity(samples)
    scores += [
        Score("uniqueness", len(different) / n, "", "higher", n, jackknife(_different_without(drawn))),
        Score("novelty", new, "", "higher", len(different), math.sqrt(new * (1 - new) / len(different))),
        Score("internal_diversity", diversity, "", "higher", n, diversity_error),
    ]
    properties: dict[str, Callable[[Any], float]] = {
        "qed": qed,
        "logp": lambda molecule: CalcCrippenDescriptors(molecule)[0],
    }
    for name, of in properties.items():
        distance, error = _distance(*(np.array([of(molecule) for molecule in side]) for side in (samples, references)))
        scores.append(Score(f"{name}_distance", scale * distance, "", "lower", n, scale * error))
    if not (wanted := Counter(scaffold for scaffold in _scaffolds_of(references) if scaffold is not None)):
        raise NotApplicable(f"scaffold_similarity needs test items of {_RINGS} rings; there are none", scores)
    each = _scaffolds_of(samples)
    made = Counter(scaffold for scaffold in each if scaffold is not None)
    without = {scaffold: _cosine(made - Counter([scaffold]) if scaffold else made, wanted) for scaffold in {*each}}
    error = jackknife(np.array([without[scaffold] for scaffold in each]))
    return [*scores, Score("scaffold_similarity", _cosine(made, wanted), "", "higher", n, error)]


def _different_without(smiles: list[str]) -> np.ndarray:
    """Uniqueness of all but one, for each: shape (N,)."""
    counts = Counter(smiles)
    alone = np.array([counts[one] == 1 for one in smiles])
    without: np.ndarray = (len(counts) - alone) / (len(smiles) - 1)
    return without


def _read(smiles: list[str]) -> list[Any]:
    with BlockLogs():
        return [Chem.MolFromSmiles(one) for one in smiles]


def _internal_diversity(molecules: list[Any]) -> tuple[float, float]:
    """1 minus the mean of the similarity matrix, and its jackknife standard error; at least two molecules."""
    generator, n = GetMorganGenerator(radius=2, fpSize=1024), len(molecules)
    prints = [generator.GetFingerprint(molecule) for molecule in molecules]
    sums = np.array([sum(BulkTanimotoSimilarity(one, prints)) for one in prints])
    without = 1 - (sums.sum() - 2 * sums + 1) / (n - 1) ** 2  # one row and one column less; the diagonal is 1
    return 1 - float(sums.sum()) / n**2, jackknife(without)


def _distance(samples: np.ndarray, references: np.ndarray) -> tuple[float, float]:
    """Wasserstein-1 distance in the property's own unit, and its standard error."""
    without = [wasserstein_distance(np.delete(samples, i), references) for i in range(len(samples))]
    return float(wasserstein_distance(samples, references)), jackknife(np.array(without))


def _scaffolds_of(molecules: list[Any]) -> list[str | None]:
    """The scaffold of each molecule; None for one of too few rings."""
    enough = (molecule.GetRingInfo().NumRings() >= _RINGS for molecule in molecules)
    return [
        MurckoScaffoldSmiles(mol=molecule) if rings else None for molecule, rings in zip(molecules, enough, strict=True)
    ]


def _cosine(one: Counter[str], other: Counter[str]) -> float:
    lengths = [math.sqrt(sum(count**2 for count in counts.values())) for counts in (one, other)]
    return sum(count * other[scaffold] for scaffold, count in one.items()) / (math.prod(lengths) or 1)
