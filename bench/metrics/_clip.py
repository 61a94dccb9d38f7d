"""CLIPScore: how well pictures and captions go together for a CLIP model."""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from transformers import AutoTokenizer, CLIPImageProcessor, CLIPModel

from bench.checkpoints import vocabulary
from bench.checkpoints.weights import SAID, fault
from bench.errors import CheckpointError

_WEIGHT, _PROMPT = 2.5, "A photo depicts "  # the paper's
_AT_ONCE = 64


class ClipScore:
    """2.5 max(cos, 0) of the embeddings of a picture and of its caption after "A photo depicts".

    Paper: Hessel et al. 2021, CLIPScore: A Reference-free Evaluation Metric for Image Captioning (equation 1)

    Args:
        weights: folder or hub id of a ``CLIPModel`` in safetensors, with its tokenizer and image processor.
    """

    def __init__(self, weights: str) -> None:
        try:
            model, info = CLIPModel.from_pretrained(weights, dtype=torch.float32, **SAID)
            self.tokenizer = AutoTokenizer.from_pretrained(weights)
            self.processor = CLIPImageProcessor.from_pretrained(weights)
        except Exception as error:
            said = " ".join(str(error).split())
            problem = f"CLIP weights {weights}: not a CLIPModel with its tokenizer ({said})"
            remedy = "run `bench fetch SUITE` where there is a network, or name a folder in the metric's option 'clip'"
            raise CheckpointError(f"{problem}; {remedy}") from error
        known = model.config.text_config.vocab_size
        if wrong := fault(info) or vocabulary.unknown(self.tokenizer.get_vocab(), known):
            raise CheckpointError(f"CLIP weights {weights}: {wrong}")
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model: Any = model.to(self.device).eval()
        self.longest: int = model.config.text_config.max_position_embeddings

    def truncated(self, captions: list[str]) -> float:
        """The share of the captions that are too long for the model to read whole."""
        lengths = [len(ids) for ids in self._read([_PROMPT + caption for caption in captions])["input_ids"]]
        return sum(length > self.longest for length in lengths) / len(lengths)

    def _read(self, texts: list[str], **options: Any) -> Any:
        return self.tokenizer(texts, verbose=False, **options)

    @torch.inference_mode()
    def __call__(self, captions: list[str], images: np.ndarray) -> np.ndarray:
        """The score of each pair: float64, shape (N,).

        Args:
            captions: shape (N,).
            images: uint8, shape (N, H, W, 1 or 3).
        """
        parts = [slice(start, start + _AT_ONCE) for start in range(0, len(captions), _AT_ONCE)]
        return np.concatenate([self._scores(captions[part], images[part]) for part in parts])

    def _scores(self, captions: list[str], images: np.ndarray) -> np.ndarray:
        texts = [_PROMPT + caption for caption in captions]
        read = self._read(texts, padding=True, truncation=True, max_length=self.longest, return_tensors="pt")
        coloured = [Image.fromarray(image.squeeze()).convert("RGB") for image in np.asarray(images)]
        seen = self.processor(images=coloured, return_tensors="pt")
        out = self.model(**read.to(self.device), pixel_values=seen["pixel_values"].to(self.device))
        cosine = F.cosine_similarity(out.image_embeds.double(), out.text_embeds.double())
        scores: np.ndarray = (_WEIGHT * cosine.clamp(min=0)).cpu().numpy()
        return scores


@lru_cache(maxsize=1)
def clip_score(weights: str) -> ClipScore:
    """Loaded once per process."""
    return ClipScore(weights)
