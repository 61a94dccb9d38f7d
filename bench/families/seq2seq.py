"""Sequence-to-sequence language models, that write one text after reading another."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from bench.dataset import Columns, Dataset, Items
from bench.errors import CheckpointError
from bench.families import _architecture, _encoder_decoder, _tokenizer, _tokens, _vocabulary, _weights
from bench.families._errors import one_line
from bench.families._language_model import LanguageModel
from bench.model import Batch, Reader
from bench.options import Count, Fraction, Positive

MODALITY = "text_pair"
CHECKPOINT_GENERATION = 2
OFFERS = ("text", "condition", "network", "samples", "objective", "likelihood", "soft_prompts")
CHECKPOINT = {
    "kind": "a sequence-to-sequence model (T5, BART …), or an encoder (BERT …)",
    "networks": {"": {}},
    "tasks": (("SEQ_TO_SEQ_CAUSAL_LM",), ("MASKED_LM", "CAUSAL_LM")),
    "tokenizer": ("", ""),
}

_IGNORED = -100  # the label that torch's cross-entropy leaves out
_CORRUPTED = 0.15  # of the tokens, as in BERT and T5 (Raffel et al. 2020)


class Seq2Seq(LanguageModel):
    """Encoder-decoder language models, any architecture that transformers loads, or two of one encoder.

    A checkpoint of a sequence-to-sequence model (T5, BART, mBART, Pegasus, Marian …) is used as it is. One of an
    encoder (BERT, RoBERTa …) becomes encoder and decoder, each with its weights; the attention from one to the other is
    new, and the same at every load.

    An item is one row. Longer texts are cut: a source to its first ``context`` tokens, a target to its first
    ``target_context``; the metric ``perplexity`` counts what it scores and says how many items were cut. Padding is
    masked in the source and stands behind all that looks in the target. The decoder begins with the tokens that the
    checkpoint's do, which nobody predicts.

    Paper: Raffel et al. 2020 (T5); Lewis et al. 2020 (BART); Rothe et al. 2020, Leveraging Pre-trained Checkpoints for
    Sequence Generation Tasks (encoders)

    Args:
        context: tokens of a source that are read, with those the tokenizer adds; the model's own limit where smaller.
        target_context: predicted tokens of a target, its end among them; the model's own limit where smaller.
        max_new_tokens: length of a sample, at most.
        temperature: of sampling; 1 samples from the model's distribution as it is.
        top_p: nucleus to sample from; 1 for all of it.
        num_beams: above 1, samples are the most likely texts that a beam search of that width finds, without chance.
    """

    modality = MODALITY
    offers = frozenset(OFFERS)
    generated: ClassVar[str] = "target"
    read_by = Reader("transformers.AutoModelForSeq2SeqLM", tokenizer=True)

    def __init__(
        self,
        network: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        context: Count = 128,
        target_context: Count = 128,
        max_new_tokens: Count = 128,
        temperature: Positive = 1.0,
        top_p: Fraction = 1.0,
        num_beams: Count = 1,
    ) -> None:
        super().__init__()
        self.network = network
        self.tokenizer = tokenizer
        self.reserved = 0  # positions before a source
        self.options: dict[str, Any] = {"context": context, "target_context": target_context}
        self.options |= {"max_new_tokens": max_new_tokens, "temperature": temperature, "top_p": top_p}
        self.options |= {"num_beams": num_beams}
        self.around, self.starts, self.end = _encoder_decoder.marks(network, tokenizer)
        self.padding: int = self.end
        network.config.decoder_start_token_id = self.starts[0]
        # sample from the model's distribution as it is
        self.network.generation_config = GenerationConfig(decoder_start_token_id=self.starts[0])
        self.limit, self.longest = map(_architecture.positions, (network.get_encoder(), network.get_decoder()))
        self.context = min(context, self.limit)
        self.target_context = min(target_context, self.longest + 1 - len(self.starts))
        if self.context <= sum(map(len, self.around)):
            raise CheckpointError(f"option 'context': {self.context} leaves no room for text; ask for more")

    @property
    def probe(self) -> int:
        return self.starts[0]

    def marks(self) -> dict[str, int]:
        known = {"decoder_start_token_id": self.starts[0], "eos_token_id": self.end, "pad_token_id": self.end}
        return known | ({"forced_bos_token_id": self.starts[1]} if len(self.starts) > 1 else {})

    @classmethod
    def from_checkpoint(cls, checkpoint: str, *, revision: str | None, trust_remote_code: bool, **options: Any) -> Self:
        where = f"checkpoint {checkpoint}"
        network, tokenizer = _encoder_decoder.load(checkpoint, revision=revision, trust_remote_code=trust_remote_code)
        try:
            model = cls(network, tokenizer, **options)
        except CheckpointError as error:
            raise CheckpointError(f"{where}: {error}") from None
        model.check(where)
        return model

    @classmethod
    def from_architecture(cls, architecture: Mapping[str, Any], source: Dataset, **options: Any) -> Self:
        wanted = dict(architecture)
        size, where = wanted.pop("vocab_size", 1024), f"architecture {wanted}"
        texts = (text for column in ("source", "target") for text in source.train[column])  # type: ignore[call-overload]
        try:
            tokenizer = _tokenizer.byte_level_bpe(texts, size)
            _weights.fits(lambda: _encoder_decoder.untrained(dict(wanted), tokenizer))
            model = cls(_encoder_decoder.untrained(wanted, tokenizer), tokenizer, **options)
        except Exception as error:
            raise CheckpointError(f"{where}: transformers cannot build it ({one_line(error)})") from error
        model.check(where)
        return model

    def check(self, where: str) -> None:
        """Raise :class:`CheckpointError` where the network does not write the tokenizer's tokens one after another."""
        words = set(self.tokenizer.get_vocab().values()) - set(self.tokenizer.all_special_ids)
        if len(words) < 2:  # T5's, made of nothing, has a space
            raise CheckpointError(f"{where}: its tokenizer knows no words; save the tokenizer beside the weights")
        marks = (*self.starts, self.end, *(token for side in self.around for token in side))
        if fault := _vocabulary.fault(self.tokenizer, self.network, marks):
            raise CheckpointError(f"{where}: {fault}")
        try:
            ahead = _architecture.looks_ahead(self.network, self.starts[0])
        except Exception as error:
            raise CheckpointError(f"{where}: it does not run on two texts alone ({one_line(error)})") from error
        if ahead:
            raise CheckpointError(f"{where}: its decoder sees the token it is to predict; set its is_decoder: true")

    def encoding(self) -> dict[str, Any]:
        marks, lengths = [*self.around, self.starts, self.end], [self.context, self.target_context]
        return {"family": "seq2seq", "tokenizer": self.vocabulary, "contexts": lengths, "marks": marks}

    def encode(self, items: Items) -> Batch:
        """Each item as one row: ``source`` in ``source_length`` tokens, ``input_ids`` in ``length``, of which ``text``
        are the target's own; ``bytes`` of it these stand for in UTF-8, and whether anything was ``cut``."""
        assert isinstance(items, Columns)
        before, behind = self.around
        room = self.context - len(before) - len(behind)
        read = _tokenizer.read(self.tokenizer, items["source"])
        written = _encoder_decoder.targets(self.tokenizer, items["target"])
        sources = [[*before, *tokens[:room], *behind] for tokens in read]
        chains = [[*tokens, self.end][: self.target_context] for tokens in written]
        text = [min(len(tokens), self.target_context) for tokens in written]
        size = [
            _encoder_decoder.size(self.tokenizer, *pair) for pair in zip(items["target"], written, text, strict=True)
        ]
        cut = [len(one) > room or len(other) > most for one, other, most in zip(read, written, text, strict=True)]
        rows = [[*self.starts, *chain] for chain in chains]
        return {
            "source": _tokens.padded(sources, self.context, self.end).to(torch.int32),
            "source_length": torch.tensor([len(row) for row in sources]),
            "input_ids": _tokens.padded(rows, len(self.starts) + self.target_context, self.end).to(torch.int32),
            "length": torch.tensor([len(row) for row in rows]),
            "text": torch.tensor(text),
            "bytes": torch.tensor(size),
            "cut": torch.tensor(cut),
            "item": torch.arange(len(items)),
        }

    def reserve(self, positions: int) -> None:
        """Before the source."""
        self.reserved += positions
        self.limit -= positions
        self.context = min(self.context, self.limit)

    def decode(self, batch: Batch) -> Columns:
        given, (before, behind) = len(self.starts), self.around
        sides = (
            ("source", len(before), batch["source"], batch["source_length"] - len(before) - len(behind)),
            ("target", given, batch["input_ids"], batch["text"]),
        )
        plain = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
        return Columns(
            {
                name: [
                    self.tokenizer.decode(ids[begin : begin + count], **plain)
                    for ids, count in zip(rows.tolist(), counts.tolist(), strict=True)
                ]
                for name, begin, rows, counts in sides
            }
        )

    def restored(self, items: Items) -> list[str | None]:
        assert isinstance(items, Columns)
        plain = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
        written = _encoder_decoder.targets(self.tokenizer, items["target"])
        return [self.tokenizer.decode(tokens, **plain) for tokens in written]

    def collate(self, rows: Batch, indices: Tensor) -> Batch:
        batch = {key: value[indices] for key, value in rows.items()}
        batch["source"] = batch["source"][:, : int(batch["source_length"].max())].long()
        batch["input_ids"] = batch["input_ids"][:, : int(batch["length"].max())].long()
        return {key: value.to(self.device, non_blocking=True) for key, value in self._apart(batch).items()}

    def _apart(self, batch: Batch) -> Batch:
        """A batch in which sources and targets are of different widths: so it can be told whose features are whose."""
        while batch["input_ids"].shape[1] - 1 - batch["source"].shape[1] in (0, self.reserved):
            batch = batch | {"source": F.pad(batch["source"], (0, 1), value=self.end)}
        return batch

    def join(self, batches: list[Batch]) -> Batch:
        return self._apart(super().join(batches))

    def coarser(self, batch: Batch, share: float) -> Batch:
        """Shorter sources and shorter targets."""
        most = max(len(self.around[0]) + 1, round(share * self.context))
        target = {key: value for key, value in batch.items() if key not in ("source", "source_length")}
        kept = len(self.starts) - 1 + max(1, round(share * self.target_context))
        cut = {"source": batch["source"][:, :most], "source_length": batch["source_length"].clamp(max=most)}
        return self._apart(_tokens.shorter(target, kept) | cut)

    def corrupted(self, batch: Batch, share: float | None, generator: torch.Generator) -> Batch:
        """Some tokens of the source are replaced by others of the batch's sources; the target stays what it is."""
        read = {"input_ids": batch["source"], "length": batch["source_length"]}
        noisy = _tokens.noisy(read, _CORRUPTED if share is None else share, generator)
        return batch | {"source": noisy["input_ids"]}

    def forward(self, batch: Batch) -> Tensor:
        """Logits of shape (rows, positions, vocabulary), of the positions that predict."""
        mask = _tokens.first(batch["source_length"], batch["source"]).long()
        ids = batch["input_ids"][:, :-1]
        logits: Tensor = self.network(
            input_ids=batch["source"], attention_mask=mask, decoder_input_ids=ids, use_cache=False
        ).logits
        return logits[:, len(self.starts) - 1 :]

    def loss(self, batch: Batch, outputs: Tensor, player: nn.Module | None = None) -> Tensor:
        """Cross-entropy in nats per token, the end of the text included: a model must learn to stop."""
        given = len(self.starts)
        labels = batch["input_ids"][:, given:].masked_fill(~self._predicted(batch, outputs), _IGNORED)
        return F.cross_entropy(outputs.flatten(0, 1).float(), labels.flatten(), ignore_index=_IGNORED)

    def _predicted(self, batch: Batch, outputs: Tensor) -> Tensor:
        return _tokens.first(batch["length"] - len(self.starts), outputs)

    def units(self, batch: Batch) -> int:
        return int((batch["length"] - len(self.starts)).sum())

    def nll(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Of the target, given the source."""
        outputs = self(batch)
        labels = batch["input_ids"][:, len(self.starts) :]
        each = F.cross_entropy(outputs.transpose(1, 2).float(), labels, reduction="none").double()
        return (each * _tokens.first(batch["text"], outputs)).sum(1), batch["text"]

    def divergence(self, batch: Batch, outputs: Tensor, reference: Tensor, temperature: float = 1.0) -> Tensor:
        """KL(reference ‖ outputs) in nats per token, both softened, times temperature² (Hinton et al. 2015)."""
        return _tokens.divergence(self._predicted(batch, outputs), outputs, reference, temperature)

    def sample_in_full(self, batch: Batch, generator: torch.Generator) -> Batch:
        return self._generate(batch, generator, in_full=True)

    def sample(self, batch: Batch, generator: torch.Generator) -> Batch:
        return self._generate(batch, generator, in_full=False)

    def _generate(self, batch: Batch, generator: torch.Generator, *, in_full: bool) -> Batch:
        given, source = len(self.starts), {key: batch[key] for key in ("source", "source_length")}
        longest = min(self.options["max_new_tokens"], self.longest + 1 - given)
        chance = {"temperature": self.options["temperature"], "top_p": self.options["top_p"], "top_k": 0}
        beams = self.options["num_beams"]
        seed = int(torch.randint(2**62, (), generator=generator))
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(seed)
            ids = self.network.generate(
                input_ids=source["source"],
                attention_mask=_tokens.first(source["source_length"], source["source"]).long(),
                decoder_input_ids=torch.tensor([self.starts], device=self.device).expand(len(batch["source"]), -1),
                decoder_start_token_id=self.starts[0],
                do_sample=beams == 1,
                **(chance if beams == 1 else {"num_beams": beams}),
                max_new_tokens=longest,
                min_new_tokens=longest if in_full else None,
                bos_token_id=self.starts[0],
                eos_token_id=self.end,
                pad_token_id=self.end,
            )
        text = ((ids[:, given:] == self.end).int().cumsum(1) == 0).sum(1)
        new = {"input_ids": ids, "length": torch.clamp(given + text + 1, max=ids.shape[1]), "text": text}
        return self._apart(source | new | {"item": torch.arange(len(ids), device=ids.device)})
