"""Molecule target, near the source: the same elements in larger frameworks."""

from bench.dataset import Dataset
from bench.datasets._molecules import has_sulfur, nci, rings

MODALITY = "molecule"
EXTRA = "molecules"


def nci_polycyclics() -> Dataset:
    """Real molecules of three rings and more and without sulfur, as SMILES: about 620 of the NCI's first 5,000.

    Steroids, anthraquinones, acridines and the like: no scaffold of theirs is in nci_molecules, whose molecules have
    two rings at most. Canonical, each once; no salts, mixtures or metals. No scaffold is in two splits.

    Paper: Milne et al. (1994), National Cancer Institute Drug Information System 3D Database.
    """
    return nci("nci_polycyclics", lambda molecule: rings(molecule) >= 3 and not has_sulfur(molecule), held_out=0.15)
