"""Which samples are molecules, and what RDKit says of them."""

from collections.abc import Iterable
from typing import Any

from rdkit import Chem
from rdkit.rdBase import BlockLogs


def canonical(samples: Iterable[Any]) -> list[str]:
    """The canonical SMILES of those samples that are molecules, in order; the others are left out.

    RDKit must be able to parse and to sanitise a molecule (valences, aromaticity). A text without an atom is none, nor
    is one with characters that RDKit drops without a word: blanks and what follows them, control characters.
    """
    with BlockLogs():
        read = [Chem.MolFromSmiles(text) if all("!" <= letter <= "~" for letter in text) else None for text in samples]
        return [Chem.MolToSmiles(molecule) for molecule in read if molecule is not None and molecule.GetNumAtoms()]
