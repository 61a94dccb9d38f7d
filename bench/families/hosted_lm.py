"""Language models that somebody else hosts, behind an OpenAI-compatible endpoint."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NoReturn, Self

import torch
from torch import Tensor, nn

from bench.dataset import Dataset, Items
from bench.errors import CheckpointError, NotApplicable
from bench.families import _echo, _endpoint, _tokens
from bench.model import Batch, Model
from bench.options import Count, NonNegative, Positive

MODALITY = "text"
OFFERS = ("text", "samples", "context", "likelihood")

_ABOUT = "hosted_lm.json"  # a saved model: what it is called at its server
_NOT_GIVEN = frozenset({400, 404, 405, 422, 501})  # what servers answer that know nothing of log-probabilities


class HostedLM(Model):
    """A language model behind an OpenAI-compatible endpoint, which gives samples and, where it can, likelihoods.

    ``checkpoint`` is its name there. Nothing of it is here, so nothing of it can be trained.

    Protocol ``completions``: examples and each text stand behind a ``separator``, a sample is what the model writes
    behind the last one until it writes another. A text's likelihood is that of its tokens after the same beginning;
    a token that belongs in part to the beginning counts in full. The server must echo the prompt with
    log-probabilities. Protocol ``chat``: the ``instruction`` is asked for each example, which is the answer, and once
    more; there are no log-probabilities of a text that is given. Where there are none, what needs them is skipped.

    A row is up to ``context`` characters of a text, in UTF-8. How many tokens a text takes is known to the server
    alone, so few-shot examples are chosen by an estimate. The same seed is sent for the same sample; whether the same
    text comes back is the server's to say. Whether its tokenizer loses anything is known where the log-probabilities
    come with tokens that are named in letters.

    Paper: Brown et al. 2020, Language Models are Few-Shot Learners

    Args:
        endpoint: address of the API, such as https://api.openai.com/v1; no key in it.
        key_variable: environment variable that holds the key; empty where the server asks for none.
        protocol: of the server.
        instruction: of the protocol ``chat``: what the model is asked for.
        separator: of the protocol ``completions``: stands before each text.
        context: characters of a text that are scored at once; a longer text becomes several rows, each on its own.
        positions: tokens the model has for examples, a text and a sample together.
        bytes_per_token: to estimate how many tokens a text takes.
        max_new_tokens: length of a sample, at most.
        temperature: of sampling.
        concurrency: requests under way at the same time, of each cell that runs.
        timeout: seconds a request may take.
        retries: how many times a request is made again where a fault may pass.
        backoff: seconds before the first of these, if the server does not say; twice as long before each next.
        patience: seconds that are waited at most.
        token_budget: tokens that a cell may spend; at the request that might go beyond it the cell ends.
    """

    modality = MODALITY
    offers = frozenset(OFFERS)

    def __init__(
        self,
        name: str,
        *,
        endpoint: str,
        key_variable: str = "",
        protocol: Literal["completions", "chat"] = "completions",
        instruction: str = "Write a text of the kind that is wanted here. Answer with the text alone.",
        separator: str = "\n\n###\n\n",
        context: Count = 4096,
        positions: Count = 4096,
        bytes_per_token: Positive = 3.0,
        max_new_tokens: Count = 128,
        temperature: NonNegative = 1.0,
        concurrency: Count = 4,
        timeout: Positive = 60.0,
        retries: Count = 5,
        backoff: Positive = 1.0,
        patience: Positive = 60.0,
        token_budget: Count | None = None,
    ) -> None:
        super().__init__()
        self.network = nn.Module()
        self.name, self.protocol, self.instruction, self.separator = name, protocol, instruction, separator
        self.context, self.limit, self.bytes_per_token = context, positions, bytes_per_token
        self.sampling = {"max_tokens": max_new_tokens, "temperature": temperature}
        self.between = separator if protocol == "completions" else instruction
        self.examples: list[str] = []
        self._beginnings: dict[str, list[str]] = {}
        self._echoes: dict[str, str | None] = {"": ""}
        try:
            if not separator:
                raise ValueError("option 'separator' is empty; a text needs something to stand behind")
            where = _endpoint.address(endpoint), _endpoint.key(key_variable)
        except ValueError as error:
            raise CheckpointError(f"hosted model {name}: {error}") from None
        self.server = _endpoint.Endpoint(
            *where,
            timeout=timeout,
            retries=retries,
            backoff=backoff,
            patience=patience,
            concurrency=concurrency,
            budget=token_budget or math.inf,
        )

    @classmethod
    def from_checkpoint(cls, checkpoint: str, *, revision: str | None, trust_remote_code: bool, **options: Any) -> Self:
        if revision is not None:
            raise CheckpointError(f"hosted model {checkpoint}: its server knows no revision {revision!r}; take it out")
        about = Path(checkpoint) / _ABOUT
        return cls(json.loads(about.read_text())["model"] if about.is_file() else checkpoint, **options)

    @classmethod
    def from_architecture(cls, architecture: Mapping[str, Any], source: Dataset, **options: Any) -> Self:
        raise CheckpointError("a hosted model cannot be pretrained here; name a checkpoint: what its server calls it")

    def save(self, folder: Path) -> None:
        """What the model is called at its server; its weights are nowhere here."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _ABOUT).write_text(json.dumps({"model": self.name}))

    def _out_of_reach(self) -> NoReturn:
        raise NotApplicable(f"the weights of {self.name} are at its server, out of reach")

    def fresh(self) -> Self:
        self._out_of_reach()

    def student(self) -> Self:
        self._out_of_reach()

    def blocks(self) -> list[nn.Module]:
        self._out_of_reach()

    def generating_end(self) -> list[nn.Module]:
        self._out_of_reach()

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    # Texts ------------------------------------------------------------------------------------------------------------

    def encoding(self) -> dict[str, Any]:
        return {"family": "hosted_lm", "context": self.context}

    def encode(self, items: Items) -> Batch:
        rows, item = [], []
        for index, text in enumerate(items):
            for begin in range(0, max(1, len(text)), self.context):
                rows.append(text[begin : begin + self.context])
                item.append(index)
        return _tokens.of_bytes(rows) | {"item": torch.tensor(item)}

    def _texts(self, batch: Batch) -> list[str]:
        """The text of each row."""
        pairs = zip(batch["input_ids"], batch["length"].tolist(), strict=True)
        return [bytes(row[:length].tolist()).decode("utf-8", "surrogatepass") for row, length in pairs]

    def decode(self, batch: Batch) -> list[str]:
        texts: dict[int, str] = {}
        for item, text in zip(batch["item"].tolist(), self._texts(batch), strict=True):
            texts[item] = texts.get(item, "") + text
        return list(texts.values())

    def restored(self, items: Items) -> list[str | None]:
        """What the server's tokens said of each text when it was scored."""
        rows, parts = self.encode(items), dict[int, list[str | None]]()
        for item, text in zip(rows["item"].tolist(), self._texts(rows), strict=True):
            parts.setdefault(item, []).append(self._echoes.get(text))
        return [None if None in part else "".join(map(str, part)) for part in parts.values()]

    def join(self, batches: list[Batch]) -> Batch:
        return super().join(_tokens.of_one_width(batches, 0))

    def _estimate(self, text: str) -> int:
        return math.ceil(len(text.encode("utf-8", "surrogatepass")) / self.bytes_per_token)

    def lengths(self, items: Items) -> list[int]:
        return [self._estimate(f"{text}{self.between}") for text in items]

    def show(self, items: Items, most: int) -> None:
        texts, left = list(items), most
        for text, length in zip(texts, self.lengths(texts), strict=True):
            if length > left:  # by the bytes that are left beside what comes between, and by whole characters
                room = max(0, int(left * self.bytes_per_token) - len(self.between.encode()))
                text = text.encode("utf-8", "surrogatepass")[:room].decode("utf-8", "ignore")
            self.examples += [text] if text else []
            left -= min(length, left)
        self.reserve(most - left)

    def reserve(self, positions: int) -> None:
        self.limit -= positions

    def _beginning(self) -> str:
        return self.separator + "".join(text + self.separator for text in self.examples)

    # What the server is asked -----------------------------------------------------------------------------------------

    def sample(self, batch: Batch, generator: torch.Generator) -> Batch:
        seeds = torch.randint(2**31, (len(batch["item"]),), generator=generator).tolist()
        common = {"model": self.name} | self.sampling
        given: dict[str, Any]
        if self.protocol == "chat":
            turns = [("user", self.instruction)]
            for text in self.examples:
                turns += [("assistant", text), ("user", self.instruction)]
            path, given = "chat/completions", {"messages": [{"role": role, "content": text} for role, text in turns]}
        else:
            path, given = "completions", {"prompt": self._beginning(), "stop": [self.separator]}
        tokens = self._estimate(json.dumps(given, ensure_ascii=False)) + self.sampling["max_tokens"]
        answers = self.server.ask(path, [(common | given | {"seed": seed}, int(tokens)) for seed in seeds])
        return _tokens.of_bytes([self._written(answer) for answer in answers]) | {"item": torch.arange(len(answers))}

    def _written(self, answer: dict[str, Any]) -> str:
        """The text of an answer, without the separator where the server went on behind it."""
        if self.protocol == "chat":
            message = self._choice(answer).get("message")
            text = message.get("content") if isinstance(message, dict) else None
        else:
            text = self._choice(answer).get("text")
        if not isinstance(text, str):
            where = "choices[0].message.content" if self.protocol == "chat" else "choices[0].text"
            raise self.server.unexpected(f"no text at {where}")
        return text if self.protocol == "chat" else text.partition(self.separator)[0]

    def _choice(self, answer: dict[str, Any]) -> dict[str, Any]:
        choices = answer.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            raise self.server.unexpected(f"no choices in it, but {', '.join(map(repr, answer)) or 'nothing'}")
        found: dict[str, Any] = choices[0]
        return found

    def nll(self, batch: Batch) -> tuple[Tensor, Tensor]:
        if self.protocol == "chat":
            raise NotApplicable(f"{self.name} is asked in a chat, which gives no log-probabilities of a given text")
        beginning, texts = self._beginning(), self._texts(batch)
        asked = [beginning] * (beginning not in self._beginnings) + [beginning + text for text in texts if text]
        answers = [self._echoed(answer) for answer in self._scored(asked)]
        if beginning not in self._beginnings:
            self._beginnings[beginning] = answers.pop(0)[0]
        each = [self._counted(*answers.pop(0), beginning, text) if text else (0.0, 0) for text in texts]
        nats, tokens = zip(*each, strict=True)
        return torch.tensor(nats, dtype=torch.float64), torch.tensor(tokens, dtype=torch.int64)

    def _scored(self, prompts: list[str]) -> list[dict[str, Any]]:
        common = {"model": self.name, "echo": True, "logprobs": 1, "max_tokens": 1, "temperature": 1.0}
        try:
            return self.server.ask("completions", [(common | {"prompt": p}, self._estimate(p) + 1) for p in prompts])
        except _endpoint.Refused as error:
            if error.code not in _NOT_GIVEN:
                raise
            raise NotApplicable(f"no log-probabilities of a given text: {error}") from None

    def _echoed(self, answer: dict[str, Any]) -> tuple[list[str], list[float | None]]:
        """A prompt's tokens and their log-probabilities; what the model wrote behind it is left out."""
        found, usage = self._choice(answer).get("logprobs"), answer.get("usage")
        tokens, chances = (
            found.get(name) if isinstance(found, dict) else None for name in ("tokens", "token_logprobs")
        )
        count = usage.get("prompt_tokens") if isinstance(usage, dict) else None
        if not isinstance(tokens, list) or not isinstance(chances, list) or type(count) is not int:
            raise NotApplicable(f"{self.server.url} gives no log-probabilities of a given text")
        if not count <= min(len(tokens), len(chances)):
            raise NotApplicable(f"{self.server.url} gives log-probabilities of what it writes, none of a given text")
        return tokens[:count], chances[:count]

    def _counted(self, tokens: list[str], chances: list[float | None], beginning: str, text: str) -> tuple[float, int]:
        """Nats and number of the tokens from the first that is not one of the beginning's; what they say is kept."""
        before = self._beginnings[beginning]
        same = next((i for i, pair in enumerate(zip(tokens, before, strict=False)) if pair[0] != pair[1]), len(before))
        own = [chance for chance in chances[same:] if isinstance(chance, int | float) and math.isfinite(chance)]
        if len(own) != len(chances) - same:
            raise NotApplicable(f"{self.server.url} gives no log-probability of some tokens of a given text")
        self._echoes[text] = _echo.given_back(tokens, same, beginning, text)
        return -math.fsum(own), len(own)

    def forward(self, batch: Batch) -> Tensor:
        """Minus the log-probability of each row in nats, shape (rows,): all that can be seen of such a model."""
        return self.nll(batch)[0]

    def loss(self, batch: Batch, outputs: Tensor, player: nn.Module | None = None) -> Tensor:
        """In nats per byte: its tokens are the server's own."""
        return outputs.sum() / self.units(batch)

    def units(self, batch: Batch) -> int:
        return max(1, int(batch["length"].sum()))

    def divergence(self, batch: Batch, outputs: Tensor, reference: Tensor, temperature: float = 1.0) -> Tensor:
        raise NotApplicable(f"what {self.name} says of all other tokens is at its server, out of reach")
