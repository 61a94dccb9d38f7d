"""Molecule source: small real molecules without sulfur."""

from bench.dataset import Dataset
from bench.datasets._molecules import has_sulfur, nci, rings

MODALITY = "molecule"
EXTRA = "molecules"
GENERATION = 1  # since molecules without a ring, and common scaffolds, are in every split


def nci_molecules() -> Dataset:
    """Real molecules of at most two rings and without sulfur, as SMILES: about 3,100 of the NCI's first 5,000.

    Canonical, each once; no salts, mixtures or metals. Splits share no scaffold but benzene's, which a quarter have. As
    many have none, being without a ring; of both kinds each split has its share, and there they share no skeleton.

    Paper: Milne et al. (1994), National Cancer Institute Drug Information System 3D Database.
    """
    return nci("nci_molecules", lambda molecule: rings(molecule) <= 2 and not has_sulfur(molecule), held_out=0.1)
