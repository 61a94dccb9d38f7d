"""The ChemNet network that the Fréchet ChemNet distance was defined with."""

from pathlib import Path

import fcd_torch
import numpy as np
import torch
from fcd_torch.utils import get_one_hot, load_imported_model
from rdkit import Chem
from rdkit.rdBase import BlockLogs

from bench.dataset import Items
from bench.errors import DataError

MODALITY = "molecule"
EXTRA = "molecules"

_WEIGHTS = "ChemNet_v0.13_pretrained.pt"
_LENGTH = 350  # characters that the network reads; what is beyond is cut off, as in the paper's code
_BATCH = 64


class Chemnet:
    """512 features of ChemNet, a network of bioactivities, as fcd_torch has it: comparable with published FCD.

    The weights come with fcd_torch. Runs on a GPU where there is one, in full float32.

    Paper: Mayr et al. (2018), Large-scale comparison of machine learning methods for drug target prediction on ChEMBL;
    Preuer et al. (2018), Fréchet ChemNet Distance.
    """

    def __init__(self) -> None:
        path = Path(fcd_torch.__file__).with_name(_WEIGHTS)
        layers = torch.load(path, map_location="cpu", weights_only=True)
        with torch.random.fork_rng(devices=[]):  # it draws weights before it loads them
            network = load_imported_model(layers)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._network = network.to(self._device).eval()

    def __call__(self, items: Items) -> np.ndarray:
        """SMILES to float32 features of shape (N, 512); :class:`DataError` where one is no molecule."""
        read = [_characters(str(smiles)) for smiles in items]
        exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
        with torch.inference_mode(), exact:
            parts = [
                self._network(torch.from_numpy(np.stack(read[start : start + _BATCH])).to(self._device)).cpu()
                for start in range(0, len(read), _BATCH)
            ]
        return torch.cat(parts).numpy()


def _characters(smiles: str) -> np.ndarray:
    """The canonical SMILES's characters, one-hot and scaled as the network knows them: float32, shape (35, 350)."""
    with BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        raise DataError(f"feature space chemnet: {smiles!r} is no molecule; leave it out")
    characters: np.ndarray = get_one_hot(Chem.MolToSmiles(molecule), _LENGTH)
    scaled: np.ndarray = (characters / characters.shape[1]).T.astype(np.float32)
    return scaled
