"""Read a YAML file as its writer meant it: YAML 1.2's core schema, nothing but JSON's types, no key twice.

PyYAML reads YAML 1.1, in which 010 is 8, 1:30 is 90, ``no`` is false, 2026-01-01 a date and 1e-3 a text. Here what a
plain value is stands in :data:`_CORE`, as in https://yaml.org/spec/1.2.2/#103-core-schema.
"""

import math
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from bench.errors import SuiteError
from bench.words import cut

_LARGEST = 2**63 - 1  # what tables and random generators hold
_TAG = "tag:yaml.org,2002:"
_TYPES = {_TAG + name for name in ("null", "bool", "int", "float", "str", "seq", "map")}
_REMEDIES = {
    "twice": "keep one of the two",
    "not text": "put quotes round it",
    "YAML 1.2": "write true, false or plain digits, or put quotes round it",
    "a tag does": "leave out tags (!!)",
    "": "mend it there",
}


_CORE = {  # of each type the first characters, which PyYAML asks for, and how it is written
    "null": ("~nN", r"~|null|Null|NULL|"),
    "bool": ("tTfF", r"true|True|TRUE|false|False|FALSE"),
    "int": ("-+0123456789", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
    "float": (
        "-+.0123456789",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
    ),
    "merge": ("<", r"<<"),  # of YAML 1.1, and handy
    "1.1": ("-+0123456789yYnNoO", r"(?i:yes|no|on|off)|[-+]?[0-9][0-9_]*_[0-9_.]*|[-+]?0b[01_]+"),
}
_LARGEST_FILE = 1 << 20  # bytes, which take PyYAML seconds
_MOST_VALUES = 100_000  # once all aliases are written out


class _Loader(yaml.SafeLoader):
    """A safe loader of these types."""

    yaml_constructors = {
        tag: make for tag, make in yaml.SafeLoader.yaml_constructors.items() if tag is None or tag in _TYPES
    }
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}

    def get_single_node(self) -> yaml.Node | None:
        """The document; refused where an alias stands in what it names, or where aliases multiply beyond all sense."""
        node: yaml.Node | None = super().get_single_node()
        if node is not None:
            _measure(node, {})
        return node


def _measure(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node comes to, aliases written out."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in known:
        known[id(node)] = 0  # while we are in it
        parts = node.value if isinstance(node, yaml.SequenceNode) else [part for pair in node.value for part in pair]
        known[id(node)] = 1 + sum(_measure(part, known) for part in parts)
    if not known[id(node)]:
        raise _refuse("an alias stands inside of what it is an alias of", node)
    if known[id(node)] > _MOST_VALUES:
        raise _refuse(f"its aliases come to more than {_MOST_VALUES} values", node)
    return known[id(node)]


def _refuse(problem: str, node: yaml.Node) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _misfit(node: Any) -> yaml.constructor.ConstructorError:
    """A tag may call a node what it is not: a list an int, a text a mapping."""
    shown = cut(node.value, 60) if isinstance(node, yaml.ScalarNode) else f"a {node.id}"
    return _refuse(f"a tag does not fit its value ({shown})", node)


def _mapping(loader: _Loader, node: yaml.Node) -> dict[Hashable, Any]:
    if not isinstance(node, yaml.MappingNode):
        raise _misfit(node)
    seen: set[str] = set()
    for key_node, _ in node.value:
        if not isinstance(key_node, yaml.ScalarNode) or key_node.tag not in (_TAG + "str", _TAG + "merge"):
            shown = cut(key_node.value, 100) if isinstance(key_node, yaml.ScalarNode) else f"(a {key_node.id})"
            raise _refuse(f"the key {shown} is not text", key_node)
        if key_node.value in seen:
            raise _refuse(f"{cut(key_node.value, 100)!r} stands there twice", key_node)
        seen.add(key_node.value)
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


def _unclear(_: _Loader, node: yaml.Node) -> None:
    """As text, ``tied: no`` would be true wherever somebody asks whether it is there."""
    _written_so(node, "1.1")
    raise _refuse(f"{cut(node.value, 24)} is a text in YAML 1.2 and was none in 1.1", node)


def _written_so(node: yaml.Node, kind: str) -> str:
    """The value, where it is written as its type is."""
    if not isinstance(node, yaml.ScalarNode) or not re.fullmatch(_CORE[kind][1], node.value):
        raise _misfit(node)
    return str(node.value)


def _null(_: _Loader, node: yaml.Node) -> None:
    _written_so(node, "null")


def _bool(_: _Loader, node: yaml.Node) -> bool:
    return _written_so(node, "bool").lower() == "true"


def _float(_: _Loader, node: yaml.Node) -> float:
    written = _written_so(node, "float")
    value = float(written.lower().replace(".inf", "inf").replace(".nan", "nan"))
    if not math.isfinite(value):
        raise _refuse(f"{cut(written, 24)} is not a finite number", node)
    return value


def _int(_: _Loader, node: yaml.Node) -> int:
    written = _written_so(node, "int")
    base = {"0o": 8, "0x": 16}.get(written[:2], 10)
    digits = written if base == 10 else written[2:]
    if len(digits) > 64 or abs(value := int(digits, base)) > _LARGEST:
        raise _refuse(f"{written[:24]} is larger than a whole number may be, {_LARGEST}", node)
    return value


_Loader.add_constructor(_TAG + "map", _mapping)
_Loader.add_constructor(_TAG + "null", _null)
_Loader.add_constructor(_TAG + "bool", _bool)
_Loader.add_constructor(_TAG + "1.1", _unclear)
_Loader.add_constructor(_TAG + "float", _float)
_Loader.add_constructor(_TAG + "int", _int)
for _type, (_first, _written) in _CORE.items():
    _Loader.add_implicit_resolver(_TAG + _type, re.compile(rf"^(?:{_written})$"), [*_first, *[""] * (_type == "null")])


def read(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; :class:`SuiteError` in one line where it is none."""
    try:
        if path.is_dir():
            raise SuiteError(path, "", "is a folder", "name a YAML file in it")
        if path.stat().st_size > _LARGEST_FILE:
            raise SuiteError(path, "", f"is larger than {_LARGEST_FILE >> 20} MiB", "no suite is; check the path")
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a SafeLoader
    except FileNotFoundError:
        raise SuiteError(path, "", "no such file", "check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or error
        raise SuiteError(path, "", f"cannot be read ({said})", "it should be a UTF-8 text file you may read") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or f"not YAML ({getattr(error, 'reason', error)})"
        remedy = next((remedy for word, remedy in _REMEDIES.items() if word in problem), "mend it there")
        raise SuiteError(path, where, problem, remedy) from error
    except (ValueError, OverflowError) as error:  # PyYAML's, of "\UFFFFFFFF"
        raise SuiteError(path, "", f"not YAML ({error})", "mend what stands behind a backslash in it") from error
    except RecursionError:
        raise SuiteError(path, "", "lists and mappings are nested too deeply", "see suites/quickstart.yaml") from None
    if content is None:
        raise SuiteError(path, "", "is empty", "see suites/quickstart.yaml for what a suite holds")
    if not isinstance(content, dict):
        raise SuiteError(path, "", "is not a mapping (`key: value`)", "see suites/quickstart.yaml")
    return content
