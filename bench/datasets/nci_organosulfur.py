"""Molecule target, far from the source: an element that it does not know."""

from bench.dataset import Dataset
from bench.datasets._molecules import has_sulfur, nci

MODALITY = "molecule"
EXTRA = "molecules"
GENERATION = 1  # since molecules without a ring, and common scaffolds, are in every split


def nci_organosulfur() -> Dataset:
    """Real molecules with sulfur, as SMILES: about 830 of the NCI's first 5,000.

    Sulfones, sulfonamides, thioethers, thioureas, thiazoles: nci_molecules and nci_polycyclics have no atom of sulfur.
    Canonical, each once; no salts, mixtures or metals. Splits share no scaffold but benzene's, which a fifth have. As
    many have none, being without a ring; of both kinds each split has its share, and there they share no skeleton.

    Paper: Milne et al. (1994), National Cancer Institute Drug Information System 3D Database.
    """
    return nci("nci_organosulfur", has_sulfur, held_out=0.15)
