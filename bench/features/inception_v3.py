"""The Inception-v3 network that FID and KID were defined with."""

import io
import pickle
import sys
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor
from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3, FeatureExtractorInceptionV3

from bench.dataset import Items
from bench.errors import CheckpointError

_NAME, _LAYER = "inception-v3-compat", "2048"
MODALITY = "image"

_BATCH = 64


class InceptionV3:
    """2048 features of Inception-v3 as torch-fidelity has it: for natural images, and comparable with published FID.

    Runs on a GPU where there is one, in full float32.

    Paper: Szegedy et al. (2016), Rethinking the Inception Architecture for Computer Vision; Heusel et al. (2017).

    Args:
        weights: torch-fidelity's weights as a .pth or .safetensors file; empty to download them once.
    """

    def __init__(self, *, weights: str = "") -> None:
        # torch-fidelity unpickles whatever it is given, so it is given only what was read safely and written again
        safe = io.BytesIO()
        torch.save(_local(Path(weights)) if weights else _downloaded(), safe)
        safe.seek(0)
        try:
            with torch.random.fork_rng(devices=[]):  # it draws weights before it loads them
                network = FeatureExtractorInceptionV3(_NAME, [_LAYER], feature_extractor_weights_path=safe)
        except (RuntimeError, TypeError) as error:  # missing, unexpected or misshapen tensors
            raise _unusable(weights, "these are not the weights of torch-fidelity's Inception-v3") from error
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._network = network.to(self._device)

    def __call__(self, items: Items) -> np.ndarray:
        """Images (uint8, shape (N, H, W, 1 or 3)) to float32 features of shape (N, 2048)."""
        images = torch.from_numpy(np.array(items)).permute(0, 3, 1, 2).expand(-1, 3, -1, -1)
        exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
        with torch.inference_mode(), exact:
            parts = [self._network(part.to(self._device))[0].cpu() for part in torch.split(images, _BATCH)]
        return torch.cat(parts).numpy()


def fetch(*, weights: str) -> bool:
    """Download the weights where none are named; whether they were missing."""
    if weights or Path(torch.hub.get_dir(), "checkpoints", URL_INCEPTION_V3.rsplit("/", 1)[-1]).is_file():
        return False
    _downloaded()
    return True


def _local(path: Path) -> dict[str, Tensor]:
    try:
        with path.open("rb") as file:
            if path.suffix == ".safetensors":
                return load(file.read())
            state: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
            return state
    except OSError as error:
        raise _unusable(path, f"{error.strerror}") from error
    except (RuntimeError, EOFError, pickle.UnpicklingError, SafetensorError) as error:
        raise _unusable(path, "the file holds other things than tensors, or is damaged") from error


def _downloaded() -> dict[str, Tensor]:
    try:
        with redirect_stdout(sys.stderr):
            return torch.hub.load_state_dict_from_url(
                URL_INCEPTION_V3, map_location="cpu", progress=False, check_hash=True, weights_only=True
            )
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise _unusable("", f"they cannot be downloaded ({error})") from error


def _unusable(weights: object, problem: str) -> CheckpointError:
    file = URL_INCEPTION_V3.rsplit("/", 1)[-1]
    first = "" if weights else "run `bench fetch SUITE` where there is a network, or "
    return CheckpointError(
        f"feature space inception_v3: weights {str(weights)!r}: {problem}; {first}fetch {file} from torch-fidelity's "
        "releases and name its path in the metric's option 'weights'"
    )
