"""Language models of molecules: anything ``AutoModelForCausalLM`` loads that reads and writes SMILES."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from bench.families import _smiles
from bench.families.causal_lm import CausalLM
from bench.model import Batch
from bench.options import Count, Fraction, Positive

MODALITY = "molecule"
CHECKPOINT_GENERATION = 3
OFFERS = ("molecule", "network", "samples", "objective", "likelihood", "context", "soft_prompts")
CHECKPOINT = {
    "kind": "a causal language model that writes SMILES",
    "networks": {"": {}},
    "tasks": (("CAUSAL_LM",),),
    "tokenizer": ("", ""),
}


class Molecules(CausalLM):
    """SMILES language models, any architecture and any tokenizer that transformers loads.

    What is pretrained here reads atom by atom. A molecule's likelihood is that of its canonical SMILES and the end of
    it, so at most that of the molecule: the other ways to write it are not added.

    Paper: Segler et al. (2018), Generating Focused Molecule Libraries for Drug Discovery with Recurrent Neural
    Networks; Bagal et al. (2022), MolGPT.

    Args:
        context: predicted tokens per row; the model's own limit where that is smaller.
        max_new_tokens: length of a sample, at most.
        temperature: of sampling; 1 samples from the model's distribution as it is.
        top_p: nucleus to sample from; 1 for all of it.
        prompt: share of ``context`` a sample reads of the molecule it is a sample for, as far as every row of its
            batch goes; 0 starts from nothing.
    """

    modality = MODALITY
    offers = frozenset(OFFERS)
    new_tokenizer = staticmethod(_smiles.atomwise)

    def __init__(
        self,
        network: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        context: Count = 128,
        max_new_tokens: Count = 128,
        temperature: Positive = 1.0,
        top_p: Fraction = 1.0,
        prompt: Fraction = 0.0,
    ) -> None:
        sampling: dict[str, Any] = {"temperature": temperature, "top_p": top_p, "prompt": prompt}
        super().__init__(network, tokenizer, context=context, max_new_tokens=max_new_tokens, **sampling)

    def nll(self, batch: Batch) -> tuple[Tensor, Tensor]:
        outputs = self(batch)
        labels = batch["input_ids"][:, 1:]
        each = F.cross_entropy(outputs.transpose(1, 2).float(), labels, reduction="none").double()
        return (each * self._predicted(batch, outputs)).sum(1), batch["length"] - self._given(batch)
