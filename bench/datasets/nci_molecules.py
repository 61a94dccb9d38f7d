"""Molecule source: small real molecules without sulfur."""

from bench.dataset import Dataset
from bench.datasets._molecules import has_sulfur, nci, rings

MODALITY = "molecule"
EXTRA = "molecules"


def nci_molecules() -> Dataset:
    """Real molecules of at most two rings and without sulfur, as SMILES: about 3,100 of the NCI's first 5,000.

    Canonical, each once; no salts, mixtures or metals. No scaffold is in two splits.

    Paper: Milne et al. (1994), National Cancer Institute Drug Information System 3D Database.
    """
    return nci("nci_molecules", lambda molecule: rings(molecule) <= 2 and not has_sulfur(molecule), held_out=0.1)
