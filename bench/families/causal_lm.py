"""Language models that predict the next token: anything ``AutoModelForCausalLM`` loads, with its own tokenizer."""

from collections.abc import Mapping
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from bench.dataset import Dataset, Items
from bench.errors import CheckpointError
from bench.families import _architecture, _tokenizer, _tokens, _vocabulary, _weights
from bench.families._errors import one_line
from bench.families._language_model import LanguageModel
from bench.model import Batch, Reader
from bench.options import Count, Fraction, Positive

MODALITY = "text"
CHECKPOINT_GENERATION = 3
OFFERS = ("text", "network", "samples", "objective", "likelihood", "context", "soft_prompts")
CHECKPOINT = {
    "kind": "a causal language model (GPT-2, Llama …)",
    "networks": {"": {}},
    "tasks": (("CAUSAL_LM",),),
    "tokenizer": ("", ""),
}

_IGNORED = -100  # the label that torch's cross-entropy leaves out
_CORRUPTED = 0.15  # of the tokens, as in BERT and T5 (Raffel et al. 2020)


class CausalLM(LanguageModel):
    """Autoregressive language models, any architecture that transformers loads.

    A row holds up to ``context`` predicted tokens. A longer text becomes several rows, each starting with the last
    token of the one before, so every token is predicted exactly once, with at most ``context`` tokens to go by. Where
    the tokenizer puts tokens before a text (Gemma's ``<bos>``, GLM's ``[gMASK] <sop>``), as it did in pretraining, they
    stand before each row, in front of the one that goes on from the row before. None of these is predicted.

    Args:
        context: predicted tokens per row; the model's own limit where that is smaller.
        max_new_tokens: length of a sample, at most.
        temperature: of sampling; 1 samples from the model's distribution as it is.
        top_p: nucleus to sample from; 1 for all of it.
        prompt: share of ``context`` a sample reads of the row it is a sample for, as far as every row of its batch
            goes; 0 starts from nothing.
    """

    modality = MODALITY
    offers = frozenset(OFFERS)
    kind, loader = "a causal language model", AutoModelForCausalLM
    read_by = Reader("transformers.AutoModelForCausalLM", tokenizer=True)
    new_tokenizer: Any = staticmethod(_tokenizer.byte_level_bpe)
    start: int
    shown: Tensor

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
        super().__init__()
        self.network = network
        self.network.generation_config = GenerationConfig()  # sample from the model's distribution as it is
        self.tokenizer = tokenizer
        self.options: dict[str, Any] = {"context": context, "max_new_tokens": max_new_tokens}
        self.options |= {"temperature": temperature, "top_p": top_p, "prompt": prompt}
        self.prefix, _ = _tokenizer.around(tokenizer)  # stands before each row
        starts = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.cls_token_id, tokenizer.pad_token_id)
        known = [token for token in (*self.prefix[-1:], *starts) if token is not None]
        if not known:
            raise CheckpointError("the tokenizer has no token to start or end a text with; set its bos or eos token")
        self.start = known[0]
        self.starts = self.prefix or [self.start]  # of a text
        self.limit = _architecture.positions(network) - len(self.prefix)  # of what stands behind it
        self.context = min(context, self.limit)
        self.end: int = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else self.start
        self.padding = self.end
        self.register_buffer("shown", torch.empty(0, dtype=torch.int64), persistent=False)  # stands before each row

    @property
    def probe(self) -> int:
        return self.start

    def marks(self) -> dict[str, int]:
        return {"bos_token_id": self.start, "eos_token_id": self.end, "pad_token_id": self.end}

    @classmethod
    def from_architecture(cls, architecture: Mapping[str, Any], source: Dataset, **options: Any) -> Self:
        wanted = dict(architecture)
        kind, size, where = wanted.pop("model_type", "gpt2"), wanted.pop("vocab_size", 1024), f"architecture {wanted}"
        try:
            tokenizer = cls.new_tokenizer(source, size)
            config = AutoConfig.for_model(
                kind,
                vocab_size=len(tokenizer),
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
                **wanted,
            )
            _weights.fits(lambda: AutoModelForCausalLM.from_config(config))
            model = cls(AutoModelForCausalLM.from_config(config), tokenizer, **options)
        except Exception as error:
            raise CheckpointError(f"{where}: transformers cannot build it ({one_line(error)})") from error
        model.check(where)
        return model

    def check(self, where: str) -> None:
        """Raise :class:`CheckpointError` where the network is no causal language model of the tokenizer's tokens."""
        if not set(self.tokenizer.get_vocab().values()) - set(self.tokenizer.all_special_ids):
            raise CheckpointError(f"{where}: its tokenizer knows no words; save the tokenizer beside the weights")
        if fault := _vocabulary.fault(self.tokenizer, self.network, (*self.starts, self.end)):
            raise CheckpointError(f"{where}: {fault}")
        try:
            ahead = _architecture.looks_ahead(self.network, self.start)
        except Exception as error:
            raise CheckpointError(f"{where}: it does not run on tokens alone ({one_line(error)})") from error
        if ahead:
            raise CheckpointError(f"{where}: not causal, it sees the token it is to predict; set is_decoder: true")

    def encoding(self) -> dict[str, Any]:
        known: dict[str, Any] = {"family": "causal_lm", "tokenizer": self.vocabulary, "context": self.context}
        known["ends"] = [self.start, self.end]
        return known | ({"prefix": self.prefix} if self.prefix[1:] else {"starts_rows": True} if self.prefix else {})

    def encode(self, items: Items) -> Batch:
        """Each row has ``length`` tokens, of which ``given`` are not predicted (where that is not 1 for all), and the
        next ``text`` are of the text."""
        rows: list[list[int]] = []
        item, text, given = [], [], []
        for index, tokens in enumerate(_tokenizer.read(self.tokenizer, items)):
            chain = [self.start, *tokens, self.end]
            for begin in range(0, len(chain) - 1, self.context):
                before = self.prefix if begin else self.starts[:-1]
                rows.append([*before, *chain[begin : begin + self.context + 1]])
                item.append(index)
                given.append(1 + len(before))
                text.append(min(len(rows[-1]) - given[-1], len(tokens) - begin))
        return {
            "input_ids": _tokens.padded(rows, self.context + 1 + len(self.prefix), self.end).to(torch.int32),
            "length": torch.tensor([len(row) for row in rows]),
            "text": torch.tensor(text),
            "item": torch.tensor(item),
        } | ({"given": torch.tensor(given)} if self.prefix else {})

    def _given(self, batch: Batch) -> Tensor:
        return batch["given"] if "given" in batch else torch.ones_like(batch["length"])

    def lengths(self, items: Items) -> list[int]:
        marks = len(self.starts) + (self.end != self.start)
        return [len(tokens) + marks for tokens in _tokenizer.read(self.tokenizer, items)]

    def show(self, items: Items, most: int) -> None:
        # where one token starts and ends a text, the start of the next is its end
        end = [self.end] * (self.end != self.start)
        texts = _tokenizer.read(self.tokenizer, items)
        tokens = [token for text in texts for token in (*self.starts, *text, *end)][:most]
        self.shown = self.shown.new_tensor(tokens)
        self.reserve(len(tokens))

    def reserve(self, positions: int) -> None:
        self.limit -= positions
        self.context = min(self.context, self.limit)

    def _after_shown(self, ids: Tensor) -> Tensor:
        return torch.cat([self.shown.expand(len(ids), -1), ids], dim=1)

    def decode(self, batch: Batch) -> list[str]:
        texts: dict[int, list[int]] = {}
        counts = (column.tolist() for column in (self._given(batch), batch["text"], batch["item"]))
        for ids, given, count, item in zip(batch["input_ids"], *counts, strict=True):
            texts.setdefault(item, []).extend(ids[given : given + count].tolist())
        plain = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
        return [self.tokenizer.decode(tokens, **plain) for tokens in texts.values()]

    def coarser(self, batch: Batch, share: float) -> Batch:
        cut = _tokens.shorter(batch, max(1, round(share * self.context)) + len(self.prefix))
        return cut | {"text": cut["text"].minimum(cut["length"] - self._given(batch))}

    def corrupted(self, batch: Batch, share: float | None, generator: torch.Generator) -> Batch:
        return _tokens.noisy(batch, _CORRUPTED if share is None else share, generator, len(self.starts))

    def forward(self, batch: Batch) -> Tensor:
        """Logits of shape (rows, positions, vocabulary). Rows are padded at their end, where no token looks."""
        ids = batch["input_ids"][:, :-1]
        logits: Tensor = self.network(input_ids=self._after_shown(ids), use_cache=False).logits
        return logits[:, -ids.shape[1] :]  # and not what it says of examples and learned vectors before the row

    def loss(self, batch: Batch, outputs: Tensor, player: nn.Module | None = None) -> Tensor:
        """Cross-entropy in nats per token, the end of the text included: a model must learn to stop.

        Where a transform has put noise on ``input_ids``, the clean tokens stand in ``targets``.
        """
        labels = batch.get("targets", batch["input_ids"])[:, 1:].masked_fill(~self._predicted(batch, outputs), _IGNORED)
        return F.cross_entropy(outputs.flatten(0, 1).float(), labels.flatten(), ignore_index=_IGNORED)

    def _predicted(self, batch: Batch, outputs: Tensor, *, scored: bool = False) -> Tensor:
        """Which positions predict a token of the row; or only those that predict one of the text, not its end."""
        given = self._given(batch)
        return _tokens.span(given - 1, batch["text"] if scored else batch["length"] - given, outputs)

    def units(self, batch: Batch) -> int:
        return int((batch["length"] - self._given(batch)).sum())

    def nll(self, batch: Batch) -> tuple[Tensor, Tensor]:
        outputs = self(batch)
        labels = batch["input_ids"][:, 1:]
        each = F.cross_entropy(outputs.transpose(1, 2).float(), labels, reduction="none").double()
        return (each * self._predicted(batch, outputs, scored=True)).sum(1), batch["text"]

    def divergence(self, batch: Batch, outputs: Tensor, reference: Tensor, temperature: float = 1.0) -> Tensor:
        """KL(reference ‖ outputs) in nats per token, both softened, times temperature² (Hinton et al. 2015)."""
        return _tokens.divergence(self._predicted(batch, outputs), outputs, reference, temperature)

    def sample_in_full(self, batch: Batch, generator: torch.Generator) -> Batch:
        return self._generate(batch, generator, in_full=True)

    def sample(self, batch: Batch, generator: torch.Generator) -> Batch:
        return self._generate(batch, generator, in_full=False)

    def _generate(self, batch: Batch, generator: torch.Generator, *, in_full: bool) -> Batch:
        # a prompt holds no padding: the shortest text of the batch is as long as it gets
        read = min(round(self.options["prompt"] * self.context), int(batch["text"].min()), self.limit - 1)
        given = len(self.starts) + read
        prompts = batch["input_ids"][:, :given].clone()
        if not read:
            prompts[:] = prompts.new_tensor(self.starts)
        prompts = self._after_shown(prompts)
        longest = min(self.options["max_new_tokens"], self.limit - read)
        seed = int(torch.randint(2**62, (), generator=generator))
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(seed)
            ids = self.network.generate(
                input_ids=prompts,
                attention_mask=torch.ones_like(prompts),
                do_sample=True,
                temperature=self.options["temperature"],
                top_p=self.options["top_p"],
                top_k=0,
                max_new_tokens=longest,
                min_new_tokens=longest if in_full else None,
                bos_token_id=self.start,
                eos_token_id=self.end,
                pad_token_id=self.end,
            )
        ids = ids[:, len(self.shown) :]
        ended = (ids[:, given:] == self.end).int().cumsum(1) > 0
        text = read + (~ended).sum(1)
        length = torch.clamp(len(self.starts) + text + 1, max=ids.shape[1])
        rows = {"input_ids": ids, "length": length, "text": text, "item": torch.arange(len(ids), device=ids.device)}
        return rows | ({"given": torch.full_like(length, len(self.starts))} if self.prefix else {})
