"""Files of a run, damaged in one place each: by a disk, by hand, or by a program that means something else."""

import copy
import json
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

VALUES: list[Any] = [
    None, True, False, -1, 0, 3, 10**18, 10**30, 10**4000, 1e308, -1e308, 5e-324, 0.5, float("nan"), float("inf"), "",
    "x", "x" * 300_000, "\ud800", "\x00\x1b[31m", "<b>&", "../../x", "2026", [], {}, [None], [[]], {"a": None},
    {"": ""}, ["x"] * 3000, [1e308, 10**30], {str(n): n for n in range(2000)},
]  # fmt: skip
"""What may stand in the place of any other value."""

_BYTES = [b"", b"\xff\xfe\x00", b"\x00" * 64, b"null", b"3", b"[]", b"{}", b'""', b"[" * 100_000, b'{"a":' * 100_000]
_CELLS = ["", "nan", "-inf", "1e308", "-1", "10" * 20, "9" * 5000, "x", '"', "\x00", "x" * 200_000, "1,2,3", "\n", "é"]


def damaged(content: bytes, chance: random.Random, name: str) -> bytes:
    """A file's content with one thing wrong, or a few where one leads to the next."""
    if chance.random() < 0.25:
        return _bytes(content, chance)
    with suppress(ValueError, RecursionError, LookupError):  # it was damaged before
        if name.endswith(".csv"):
            return _table(content.decode(), chance).encode("utf-8", "surrogatepass")
        if name.endswith(".json"):
            return json.dumps(changed(json.loads(content), chance)).encode()
    return _bytes(content, chance)


def _bytes(content: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(content) + 1)
    kind = chance.randrange(5)
    if kind == 0:
        return content[:place]
    if kind == 1:
        return content[:place] + chance.randbytes(chance.randint(1, 8)) + content[place:]
    if kind == 2:
        return (
            content[:place] + bytes([content[place % len(content)] ^ 1 << chance.randrange(8)]) + content[place + 1 :]
        )
    if kind == 3:
        return content + content[place:]
    return chance.choice(_BYTES)


def changed(content: Any, chance: random.Random) -> Any:
    """One value replaced, taken out, renamed, repeated, buried, or put where another one was."""
    content = copy.deepcopy(content)
    there = list(places(content))
    inside, key = chance.choice(there)
    kind = chance.randrange(8)
    if kind < 4:
        inside[key] = chance.choice(VALUES)
    elif kind == 4:
        del inside[key]
    elif kind == 5:
        other, its = chance.choice(there)
        inside[key] = copy.deepcopy(other[its])
    elif kind == 6:
        for _ in range(chance.choice((1, 90, 400))):
            inside[key] = chance.choice(([inside[key]], {"a": inside[key]}))
    elif isinstance(inside, list):
        inside.extend(inside * chance.choice((1, 500)))
    else:
        inside[f"{key}s"] = inside.pop(key)
    return content


def places(content: Any) -> Any:
    """Every (container, key) below, those near the top as often as all of one that lies deep."""
    for key, value in content.items() if isinstance(content, dict) else enumerate(content):
        yield content, key
        if isinstance(value, dict | list):
            yield from places(value)


def _table(content: str, chance: random.Random) -> str:
    lines = [line.split(",") for line in content.splitlines()]
    row = chance.choice((0, chance.randrange(len(lines))))
    column = chance.randrange(len(lines[row]))
    if chance.random() < 0.7:
        lines[row][column] = chance.choice(_CELLS)
    elif chance.random() < 0.5:
        del lines[row][column]
    else:
        lines = lines + lines[1:] * 300
    return "\n".join(",".join(line) for line in lines)


def damage(path: Path, chance: random.Random) -> None:
    """Damage a file in place; one time in twenty it is a folder afterwards."""
    content = path.read_bytes()
    if chance.random() < 0.05:
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes(damaged(content, chance, path.name))
