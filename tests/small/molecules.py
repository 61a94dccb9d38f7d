"""A small model of molecules, those it knows, and those it is to learn."""

import numpy as np
import torch

from bench.dataset import Dataset, Items
from bench.families.molecules import Molecules
from tests.models import disturbed

OPTIONS = {"context": 12, "max_new_tokens": 8}

_ARCHITECTURE = {"model_type": "gpt2", "n_layer": 4, "n_embd": 16, "n_head": 2, "n_positions": 32}
_SULFUR = [f"{'C' * i}S{'C' * j}" for i in range(1, 8) for j in range(i, 8)]
"""Thioethers, some of which are longer than a row holds."""


def model() -> Molecules:
    torch.manual_seed(0)
    made = Molecules.from_architecture(_ARCHITECTURE, source(), **OPTIONS)
    disturbed(made.network)
    return made.eval()


def data() -> Dataset:
    return Dataset("thioethers", "molecule", _SULFUR[:12], _SULFUR[-12:-6], _SULFUR[-6:])


def source() -> Dataset:
    """Chlorides and pyrroles."""
    known = [f"{'C' * i}Cl" if i % 2 else f"{'C' * i}c1ccc[nH]1" for i in range(1, 37)]
    groups = np.arange(24) % 2
    return Dataset("chlorides", "molecule", known[:24], known[24:30], known[30:], groups=groups)


def pool() -> Items:
    return [*_SULFUR[:12], *(f"O{smiles}" for smiles in _SULFUR[:12])]
