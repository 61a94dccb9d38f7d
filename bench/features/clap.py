"""Embeddings of CLAP, a network that was trained to match sounds with what people say of them."""

from math import gcd

import numpy as np
import torch
from scipy.signal import resample_poly
from transformers import ClapFeatureExtractor, ClapModel

from bench.checkpoints.weights import SAID, fault
from bench.dataset import Items
from bench.errors import CheckpointError
from bench.options import Count

MODALITY = "audio"
HUB = ("weights",)

_AT_ONCE = 16  # sounds


class Clap:
    """The sound embeddings of a CLAP checkpoint, for natural sounds; they lie on the unit sphere.

    Runs on a GPU where there is one. A feature extractor that cuts long sounds by chance cuts them always alike here.

    Paper: Wu et al. 2023, Large-scale Contrastive Language-Audio Pretraining with Feature Fusion; Gui et al. 2024,
    Adapting Fréchet Audio Distance for Generative Music Evaluation (its use for distances)

    Args:
        weights: a hub id or a local folder that ``ClapModel`` loads, with safetensors.
        sample_rate: of the sounds it is given, in Hz; they are resampled.
    """

    def __init__(self, *, weights: str = "laion/clap-htsat-unfused", sample_rate: Count = 48000) -> None:
        try:
            network, info = ClapModel.from_pretrained(weights, **SAID)
            self._extractor = ClapFeatureExtractor.from_pretrained(weights)
        except Exception as error:
            problem = f"weights {weights!r} cannot be loaded ({' '.join(str(error).split())})"
            remedy = "run `bench fetch SUITE` where there is a network, or name a ClapModel's folder in 'weights'"
            raise CheckpointError(f"feature space clap: {problem}; {remedy}") from error
        if wrong := fault(info | {"unexpected_keys": ()}):  # only half of it hears
            raise CheckpointError(f"feature space clap: weights {weights!r}: {wrong}")
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._network, self._given = network.eval().to(self._device), sample_rate

    def __call__(self, items: Items) -> np.ndarray:
        """Sounds (int16, shape (N, samples)) to float32 features of shape (N, width)."""
        sounds, found = np.asarray(items), []
        for start in range(0, len(sounds), _AT_ONCE):
            found.append(self._embedded(sounds[start : start + _AT_ONCE].astype(np.float32) / 32768))
        return np.concatenate(found)

    @torch.inference_mode()
    def _embedded(self, waves: np.ndarray) -> np.ndarray:
        rate = self._extractor.sampling_rate
        common = gcd(rate, self._given)
        waves = resample_poly(waves, rate // common, self._given // common, axis=1)
        state = np.random.get_state()  # the extractor draws from numpy's global state
        np.random.seed(0)
        try:
            inputs = self._extractor(list(waves), sampling_rate=rate, return_tensors="pt")
        finally:
            np.random.set_state(state)
        given = {name: value.to(self._device) for name, value in inputs.items()}
        features = self._network.get_audio_features(**given)
        features = getattr(features, "pooler_output", features)  # a tensor in transformers 4, an output in 5
        return torch.nn.functional.normalize(features, dim=-1).float().cpu().numpy()
