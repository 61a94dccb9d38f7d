"""What the molecule domains share: parsing, RDKit's bundled set, functional classes, and splits by scaffold."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
from rdkit import Chem, RDConfig
from rdkit.Chem.Scaffolds.MurckoScaffold import MakeScaffoldGeneric, MurckoScaffoldSmiles
from rdkit.rdBase import BlockLogs

from bench.dataset import SPLITS, Dataset
from bench.datasets import _text
from bench.errors import DataError

LONGEST = 64
"""Characters of a canonical SMILES in the embedded domains, at most."""

ELEMENTS = frozenset({"H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Br", "I"})
"""Of the embedded domains; salts, mixtures and compounds of metals are left out."""

CLASSES = {
    "sulfonamide": "S(=O)(=O)[NX3]",
    "sulfonyl": "S(=O)(=O)",
    "thiocarbonyl": "C=S",
    "nitro": "[N+](=O)[O-]",
    "carboxylic acid": "C(=O)[OX2H]",
    "amide": "C(=O)[NX3]",
    "ester": "C(=O)[OX2][#6]",
    "ketone or aldehyde": "[#6]C(=O)[#6,#1]",
    "nitrogen heteroaromatic": "n",
    "halide": "[F,Cl,Br,I]",
    "thioether or thiol": "[SX2]",
    "amine": "[NX3;!$(N=*)]",
    "alcohol or phenol": "[OX2H]",
}
"""Functional class to its SMARTS pattern; a molecule belongs to the first that it has."""


def parsed(lines: Iterable[str], refused: list[int] | None = None) -> tuple[dict[str, Chem.Mol], int]:
    """Canonical SMILES to molecule, each once and in order; and how many lines are no molecule.

    ``refused`` is given the numbers of these, from 0.
    """
    found: dict[str, Chem.Mol] = {}
    skipped = 0
    with BlockLogs():  # what RDKit would say of each line
        for number, line in enumerate(lines):
            molecule = Chem.MolFromSmiles(line) if line.isascii() and line.isprintable() else None
            if molecule is None or molecule.GetNumAtoms() == 0:
                skipped += 1
                if refused is not None:
                    refused.append(number)
            else:
                found.setdefault(Chem.MolToSmiles(molecule), molecule)
    return found, skipped


def nci(name: str, chosen: Callable[[Chem.Mol], bool], held_out: float) -> Dataset:
    """The chosen of the first 5,000 compounds of the National Cancer Institute's collection, which come with RDKit.

    Args:
        name: of the domain.
        chosen: which molecules belong to it.
        held_out: share of them that validates, and that tests.
    """
    path = Path(RDConfig.RDDataDir, "NCI", "first_5K.smi")
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError as error:
        raise DataError(f"dataset {name}: this RDKit lacks {path}; install the released one") from error
    molecules, skipped = parsed(line.split()[0] for line in lines)
    kept = {smiles: molecule for smiles, molecule in molecules.items() if _usual(smiles, molecule) and chosen(molecule)}
    return by_scaffold(name, kept, skipped, held_out)


def _usual(smiles: str, molecule: Chem.Mol) -> bool:
    """Whether it is one small organic molecule."""
    small = "." not in smiles and len(smiles) <= LONGEST
    return small and all(atom.GetSymbol() in ELEMENTS for atom in molecule.GetAtoms())


def has_sulfur(molecule: Chem.Mol) -> bool:
    return any(atom.GetSymbol() == "S" for atom in molecule.GetAtoms())


def rings(molecule: Chem.Mol) -> int:
    """How many rings its smallest set of smallest rings holds; RDKit lists more where some are alike, as in cages."""
    return int(molecule.GetNumBonds() - molecule.GetNumAtoms()) + 1


def by_scaffold(name: str, molecules: dict[str, Chem.Mol], skipped: int, held_out: float) -> Dataset:
    """Canonical SMILES in splits by scaffold, shuffled; functional classes make the sub-domains.

    Splits share no scaffold, but for those that no held-out split has room for, such as benzene's: as one group they
    would train, and what is common in the domain would never be tested. These, and the molecules without a ring, which
    have no scaffold, are in each split in like share, and share no skeleton there: the whole molecule with all its
    atoms and all its bonds alike.

    Paper: Bemis, Murcko (1996), The Properties of Known Drugs. 1. Molecular Frameworks.
    """
    scaffolds = {smiles: MurckoScaffoldSmiles(mol=molecule) for smiles, molecule in molecules.items()}
    counts, room = Counter(scaffolds.values()), held_out * len(molecules)
    parts: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))  # to groups, which are split alike
    for smiles, scaffold in scaffolds.items():
        divided = not scaffold or counts[scaffold] > room
        part = (scaffold or "none") if divided and held_out * counts[scaffold] >= 1 else ""
        parts[part][f"{scaffold} {_skeleton(molecules[smiles])}" if divided else scaffold].append(smiles)
    split_of: dict[str, str] = {}
    for groups in parts.values():
        sizes = {group: len(members) for group, members in groups.items()}
        splits = _text.assign(sizes, {"test": held_out, "validation": held_out})
        split_of |= {smiles: splits[group] for group, members in groups.items() for smiles in members}
    return in_splits(name, molecules, skipped, split_of)


def _skeleton(molecule: Chem.Mol) -> str:
    """SMILES with all atoms carbon and all bonds single; the molecule's own where an atom would have too many bonds."""
    with BlockLogs(), suppress(Chem.MolSanitizeException):
        return str(Chem.MolToSmiles(MakeScaffoldGeneric(molecule)))
    return str(Chem.MolToSmiles(molecule))


def in_splits(name: str, molecules: dict[str, Chem.Mol], skipped: int, split_of: dict[str, str]) -> Dataset:
    """The molecules in the split that each is said to belong to, shuffled."""
    known = list(molecules)
    order = [known[i] for i in np.random.default_rng(0).permutation(len(known))]
    train, validation, test = ([smiles for smiles in order if split_of[smiles] == split] for split in SPLITS)
    groups = _text.numbered([_class(molecules[smiles]) for smiles in train]) if train else None
    validation, test = validation[: _text.HELD_OUT], test[: _text.HELD_OUT]
    return Dataset(name, "molecule", train, validation, test, groups=groups, skipped=skipped)


def _class(molecule: Chem.Mol) -> str:
    return next((name for name, pattern in _patterns() if molecule.HasSubstructMatch(pattern)), "other")


@cache
def _patterns() -> list[tuple[str, Chem.Mol]]:
    return [(name, Chem.MolFromSmarts(pattern)) for name, pattern in CLASSES.items()]
