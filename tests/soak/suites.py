"""Suites that are wrong in a place or a few: ``bench plan`` says so in one line, or plans them."""

import copy
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests import mutations, plans
from tests.soak.commands import bench

WHOLE = 10_000
DONE = "a suite damaged in one to four places, planned"
SHIPPED = Path(__file__).parents[2] / "suites"
_WORDS = [
    "lora", "full_finetuning", "lora + augmentation", "lora + lora", "causal_lm", "gan", "python_reference", "glyphs",
    "perplexity", "fidelity", "{corrupted: 0.2}", "../x", "/etc/passwd", "x/y", "~", "\u202e", "lora +", "a" * 300,
]  # fmt: skip
"""Texts that mean something in a suite, or look as if they did."""


@contextmanager
def prepared(folder: Path) -> Iterator[Callable[[int, random.Random, Path], str]]:
    """Those that are damaged: what is shipped, and the one that tests plan."""
    whole = [path.read_text(encoding="utf-8") for path in sorted(SHIPPED.glob("*.yaml"))]
    whole += [yaml.safe_dump(plans.SUITE, sort_keys=False)] * len(whole)  # small: most places of it are tried

    def attempt(number: int, chance: random.Random, into: Path) -> str:
        path, text = into / "suite.yaml", chance.choice(whole)
        for _ in range(chance.choice((1, 1, 2, 4))):
            text = damaged(text, chance)
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        said = bench("plan", path, "--results", into / "results", "--json")
        assert [found.name for found in into.iterdir()] == ["suite.yaml"], "a plan writes nothing"
        if said.code == 2:
            assert len(said.err.splitlines()) >= 1, said
            return "refused in words, exit code 2"
        return "planned"

    yield attempt


def damaged(text: str, chance: random.Random) -> str:
    """A suite with another value, key, order, character or line somewhere."""
    kind = chance.random()
    if kind < 0.7:
        try:
            content = yaml.safe_load(text)
            if isinstance(content, dict) and content:
                return str(yaml.safe_dump(_changed(content, chance), sort_keys=False, allow_unicode=True))
        except (yaml.YAMLError, ValueError, RecursionError, TypeError):
            pass  # damaged before: what follows is done to its text
    lines = text.splitlines() or [""]
    place = chance.randrange(len(lines))
    if kind < 0.8:
        lines[place] = (
            chance.choice([" ", "  ", "\t", "- ", "? ", ": ", "# ", "*a ", "&a ", "!!set ", "<<: "]) + lines[place]
        )
    elif kind < 0.9:
        lines.insert(chance.randrange(len(lines)), lines[place])
    else:
        at = chance.randrange(len(text) + 1)
        return (
            text[:at]
            + chance.choice(["\x00", "\x85", "é", "{", "]", "'", '"', ":", "\n", "%", "@", "\ufeff"])
            + text[at:]
        )
    return "\n".join(lines)


def _changed(content: dict[str, Any], chance: random.Random) -> Any:
    if chance.random() < 0.6:
        return mutations.changed(content, chance)
    content = copy.deepcopy(content)
    inside, key = chance.choice(list(mutations.places(content)))
    inside[key] = chance.choice(_WORDS)
    return content
