"""Language models that restore masked tokens: anything ``AutoModelForMaskedLM`` loads, with its own tokenizer."""

from collections.abc import Mapping
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForMaskedLM, PreTrainedModel, PreTrainedTokenizerBase

from bench.dataset import Dataset, Items
from bench.errors import CheckpointError
from bench.families import _architecture, _masks, _tokenizer, _tokens, _vocabulary, _weights
from bench.families._errors import one_line
from bench.families._language_model import LanguageModel
from bench.model import Batch, Reader
from bench.options import Count, Fraction, NonNegative, Positive

MODALITY = "text"
CHECKPOINT_GENERATION = 2
OFFERS = ("text", "network", "samples", "objective", "pseudo_likelihood")
CHECKPOINT = {
    "kind": "a masked language model (BERT, RoBERTa …)",
    "networks": {"": {"is_encoder_decoder": (False,)}},
    "tasks": (("MASKED_LM",),),
    "tokenizer": ("", ""),
}

_IGNORED = -100  # the label that torch's cross-entropy leaves out
_CORRUPTED = 0.15  # of the tokens, as in BERT
_AT_ONCE = 1 << 26  # logits that scoring has in memory, as far as whole rows allow


class MaskedLM(LanguageModel):
    """Bidirectional language models, any architecture that transformers loads; texts are made by iterative unmasking.

    A row holds up to ``context`` tokens of a text between the marks that the tokenizer has for its start and its end.
    A longer text becomes several rows, each read on its own. What is masked in training comes from ``draw``: by default
    a share of each row that is itself drawn uniformly, at least one token, as masked diffusion models do, since texts
    are made from rows masked entirely, partly, and hardly. The loss is the mean over what is masked; masks always hide
    (BERT shows some of the tokens that it asks for, which unmasking never does).

    A sample is as long as the row that it is a sample for: how long a text gets is not this model's to say. All its
    tokens start masked. In each of ``unmasking_steps`` all are drawn at once, those of which the model is surest (with
    noise that fades, so that samples differ) stay for good, and the rest are masked again, on a cosine schedule.

    Paper: Devlin et al. 2019, BERT; Ghazvininejad et al. 2019, Mask-Predict; Chang et al. 2022, MaskGIT (schedule and
    choice); Sahoo et al. 2024, Simple and Effective Masked Diffusion Language Models (all shares); Salazar et al.
    2020, Masked Language Model Scoring (pseudo-likelihood)

    Args:
        context: tokens of a text per row; the model's own limit where that is smaller.
        masking: share of a row's tokens that is masked in training; 0 draws another one for each row.
        unmasking_steps: passes that make a sample; as many as it has tokens where these are fewer.
        temperature: of the tokens that are drawn; 1 draws from the model's distribution as it is.
        choice_temperature: of the noise on which tokens stay; 0 keeps the likeliest.
    """

    modality = MODALITY
    offers = frozenset(OFFERS)
    kind, loader = "a masked language model", AutoModelForMaskedLM
    read_by = Reader("transformers.AutoModelForMaskedLM", tokenizer=True)
    forbidden: Tensor

    def __init__(
        self,
        network: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        context: Count = 128,
        masking: Fraction = 0.0,
        unmasking_steps: Count = 16,
        temperature: Positive = 1.0,
        choice_temperature: NonNegative = 4.5,
    ) -> None:
        super().__init__()
        self.network, self.tokenizer = network, tokenizer
        self.options: dict[str, Any] = {"context": context, "masking": masking, "unmasking_steps": unmasking_steps}
        self.options |= {"temperature": temperature, "choice_temperature": choice_temperature}
        if tokenizer.mask_token_id is None:
            raise CheckpointError("its tokenizer has no mask token; name one of a masked language model")
        self.mask: int = tokenizer.mask_token_id
        self.padding: int = self.mask if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        either = (tokenizer.cls_token_id, tokenizer.bos_token_id), (tokenizer.sep_token_id, tokenizer.eos_token_id)
        self.before, self.behind = ([token for token in pair if token is not None][:1] for pair in either)
        self.limit = _architecture.positions(network)
        self.context = min(context, self.limit - len(self.before) - len(self.behind))
        size = network.config.get_text_config().vocab_size
        forbidden = torch.ones(size, dtype=torch.bool)  # what no text has in it: padding of the vocabulary, marks
        marks = set(tokenizer.all_special_ids)
        forbidden[[token for token in _vocabulary.words(tokenizer) if token < size and token not in marks]] = False
        self.register_buffer("forbidden", forbidden, persistent=False)

    @property
    def probe(self) -> int:
        return self.mask

    @classmethod
    def from_architecture(cls, architecture: Mapping[str, Any], source: Dataset, **options: Any) -> Self:
        wanted = dict(architecture)
        kind, size, where = wanted.pop("model_type", "bert"), wanted.pop("vocab_size", 1024), f"architecture {wanted}"
        try:
            tokenizer = _tokenizer.byte_level_bpe(source, size, mask="<|mask|>")
            known = {f"{mark}_token_id": tokenizer.eos_token_id for mark in ("bos", "eos", "cls", "sep", "pad")}
            known |= {"mask_token_id": tokenizer.mask_token_id, "vocab_size": len(tokenizer)}
            config = AutoConfig.for_model(kind, **known)
            if unknown := [key for key in wanted if not hasattr(config, key)]:
                raise ValueError(f"{type(config).__name__} has no {unknown[0]}")
            config = AutoConfig.for_model(kind, **known | wanted)
            _weights.fits(lambda: AutoModelForMaskedLM.from_config(config))
            model = cls(AutoModelForMaskedLM.from_config(config), tokenizer, **options)
        except Exception as error:
            raise CheckpointError(f"{where}: transformers cannot build it ({one_line(error)})") from error
        model.check(where)
        return model

    def check(self, where: str) -> None:
        """Raise :class:`CheckpointError` where the network does not restore the tokenizer's tokens from both sides."""
        if bool(self.forbidden.all()):
            raise CheckpointError(f"{where}: its tokenizer knows no words; save the tokenizer beside the weights")
        marks = (self.mask, self.padding, *self.before, *self.behind)
        if fault := _vocabulary.fault(self.tokenizer, self.network, marks):
            raise CheckpointError(f"{where}: {fault}")
        if _architecture.reads_a_source(self.network):
            raise CheckpointError(f"{where}: it reads one text and writes another; take the family seq2seq")
        row = torch.full((1, self.context + len(self.before) + len(self.behind)), self.mask)
        try:
            with torch.no_grad():
                self.network.eval()(input_ids=row, attention_mask=torch.ones_like(row))
            ahead = _architecture.looks_ahead(self.network, self.mask)
        except Exception as error:
            raise CheckpointError(f"{where}: it does not run on tokens alone ({one_line(error)})") from error
        if not ahead:
            raise CheckpointError(f"{where}: it sees only what stands before a token; set its is_decoder: false")

    def encoding(self) -> dict[str, Any]:
        marks = [self.before, self.behind, self.padding]
        return {"family": "masked_lm", "tokenizer": self.vocabulary, "context": self.context, "marks": marks}

    def encode(self, items: Items) -> Batch:
        """Each row has ``length`` tokens, of which ``text`` are of the text."""
        rows: list[list[int]] = []
        item, text = [], []
        for index, tokens in enumerate(_tokenizer.read(self.tokenizer, items)):
            for begin in range(0, max(1, len(tokens)), self.context):
                part = tokens[begin : begin + self.context]
                rows.append([*self.before, *part, *self.behind])
                item.append(index)
                text.append(len(part))
        width = self.context + len(self.before) + len(self.behind)
        return {
            "input_ids": _tokens.padded(rows, width, self.padding).to(torch.int32),
            "length": torch.tensor([len(row) for row in rows]),
            "text": torch.tensor(text),
            "item": torch.tensor(item),
        }

    def decode(self, batch: Batch) -> list[str]:
        texts: dict[int, list[int]] = {}
        begin = len(self.before)
        for ids, count, item in zip(batch["input_ids"], batch["text"].tolist(), batch["item"].tolist(), strict=True):
            texts.setdefault(item, []).extend(ids[begin : begin + count].tolist())
        plain = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
        return [self.tokenizer.decode(tokens, **plain) for tokens in texts.values()]

    def coarser(self, batch: Batch, share: float) -> Batch:
        text = batch["text"].clamp(max=max(1, round(share * self.context)))
        length = batch["length"] - batch["text"] + text
        cut = {key: rows[:, : int(length.max())] if rows.ndim == 2 else rows for key, rows in batch.items()}
        for key in {"input_ids", "targets"} & set(cut):
            cut[key] = cut[key].where(_tokens.first(length - len(self.behind), cut[key]), sum(self.behind))
        return cut | {"text": text, "length": length}

    def corrupted(self, batch: Batch, share: float | None, generator: torch.Generator) -> Batch:
        """Some tokens that are not masked are replaced by others, and asked for like those that are."""
        before_mark = {"length": batch["length"] - len(self.behind)}  # the mark behind a text stays
        noisy = _tokens.noisy(batch | before_mark, _CORRUPTED if share is None else share, generator)
        return noisy | {"length": batch["length"]}

    def draw(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Adds ``share`` of each row that is masked, and in which ``turn``, in [0, 1), each place is."""
        rows, width = batch["input_ids"].shape
        share = torch.rand(rows, generator=generator)
        turn = torch.rand(rows, width, generator=generator)
        share = share.fill_(self.options["masking"]) if self.options["masking"] else share
        return batch | {"share": share.to(self.device), "turn": turn.to(self.device)}

    def _inside(self, batch: Batch) -> Tensor:
        """Which places hold tokens of the text."""
        places = torch.arange(batch["input_ids"].shape[1], device=self.device) - len(self.before)
        return (places >= 0) & (places < batch["text"][:, None])

    def _masked(self, batch: Batch) -> Tensor:
        """Which places are masked: of each text the share that was drawn, and one at least."""
        turn = batch["turn"].masked_fill(~self._inside(batch), 2.0)
        return turn <= turn.amin(1, keepdim=True).maximum(batch["share"][:, None]).clamp(max=1.0)

    def _asked(self, batch: Batch) -> Tensor:
        """Which places are to be restored."""
        return self._masked(batch) | (batch.get("targets", batch["input_ids"]) != batch["input_ids"])

    def forward(self, batch: Batch) -> Tensor:
        """Logits of shape (rows, positions, vocabulary), for all places."""
        return self._logits(batch["input_ids"].masked_fill(self._masked(batch), self.mask), batch["length"])

    def _logits(self, ids: Tensor, length: Tensor) -> Tensor:
        logits: Tensor = self.network(input_ids=ids, attention_mask=_tokens.first(length, ids).long()).logits
        return logits

    def loss(self, batch: Batch, outputs: Tensor, player: nn.Module | None = None) -> Tensor:
        """Cross-entropy in nats per masked token.

        Where a transform has put noise on ``input_ids``, the clean tokens stand in ``targets``.
        """
        asked = self._asked(batch)
        labels = batch.get("targets", batch["input_ids"]).masked_fill(~asked, _IGNORED)
        total = F.cross_entropy(outputs.flatten(0, 1).float(), labels.flatten(), ignore_index=_IGNORED, reduction="sum")
        return total / asked.sum().clamp(min=1)  # empty texts have nothing to mask

    def units(self, batch: Batch) -> int:
        return max(1, int(self._asked(batch).sum()))

    def nll(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Each token is masked in turn, while all others of its row are there: as many passes as the row has tokens."""
        ids, text, length = batch["input_ids"], batch["text"], batch["length"]
        rows, places = _masks.in_turn(self._inside(batch))
        nats = torch.zeros(len(ids), dtype=torch.float64, device=self.device)
        most = max(1, _AT_ONCE // (ids.shape[1] * len(self.forbidden)))
        for part, place in zip(rows.split(most), places.split(most), strict=True):
            wide = int(length[part].max())
            read = ids[part, :wide].scatter(1, place[:, None], self.mask)
            said = self._logits(read, length[part])[torch.arange(len(part), device=self.device), place]
            each = F.cross_entropy(said.float(), ids[part, place], reduction="none")
            nats.index_add_(0, part, each.double())
        return nats, text

    def divergence(self, batch: Batch, outputs: Tensor, reference: Tensor, temperature: float = 1.0) -> Tensor:
        """KL(reference ‖ outputs) in nats per masked token, both softened, times temperature² (Hinton et al. 2015)."""
        return _tokens.divergence(self._asked(batch), outputs, reference, temperature)

    def sample_in_full(self, batch: Batch, generator: torch.Generator) -> Batch:
        marks = len(self.before) + len(self.behind)
        ids = F.pad(batch["input_ids"], (0, self.context + marks - batch["input_ids"].shape[1]), value=self.padding)
        ids[:, self.context + marks - len(self.behind) :] = torch.tensor(self.behind, device=ids.device)
        text = torch.full_like(batch["text"], self.context)
        return self.sample(batch | {"input_ids": ids, "text": text, "length": text + marks}, generator)

    def sample(self, batch: Batch, generator: torch.Generator) -> Batch:
        hidden, length = self._inside(batch), batch["length"]
        ids = _masks.unmask(
            lambda ids: self._logits(ids, length),
            batch["input_ids"].masked_fill(hidden, self.mask),
            hidden,
            min(self.options["unmasking_steps"], max(1, int(batch["text"].max()))),
            forbidden=self.forbidden,
            temperature=self.options["temperature"],
            choice_temperature=self.options["choice_temperature"],
            generator=torch.Generator(self.device).manual_seed(int(torch.randint(2**62, (), generator=generator))),
        )
        kept = {key: batch[key] for key in ("length", "text")}
        return {"input_ids": ids, **kept, "item": torch.arange(len(ids), device=ids.device)}
