"""Read a YAML file as its writer meant it: nothing but JSON's types, no key twice, and ``1e-3`` a number."""

import math
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from bench.errors import SuiteError

_LARGEST = 2**63 - 1  # what tables and random generators hold
_TAG = "tag:yaml.org,2002:"
_TYPES = {_TAG + name for name in ("null", "bool", "int", "float", "str", "seq", "map")}
_REMEDIES = {"twice": "keep one of the two", "not text": "put quotes round it", "": "mend it there"}


class _Loader(yaml.SafeLoader):
    """A safe loader that refuses what YAML 1.1 would swallow, and reads dates as the text they are."""

    yaml_constructors = {
        tag: make for tag, make in yaml.SafeLoader.yaml_constructors.items() if tag is None or tag in _TYPES
    }
    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TAG + "timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _refuse(problem: str, node: yaml.Node) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    seen: set[str] = set()
    for key_node, _ in node.value:
        if not isinstance(key_node, yaml.ScalarNode) or key_node.tag not in (_TAG + "str", _TAG + "merge"):
            shown = key_node.value if isinstance(key_node, yaml.ScalarNode) else f"(a {key_node.id})"
            raise _refuse(f"the key {shown} is not text", key_node)
        if key_node.value in seen:
            raise _refuse(f"{key_node.value!r} stands there twice", key_node)
        seen.add(key_node.value)
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


def _float(loader: _Loader, node: yaml.ScalarNode) -> float:
    value = yaml.SafeLoader.construct_yaml_float(loader, node)
    if not math.isfinite(value):
        raise _refuse(f"{node.value} is not a finite number", node)
    return value


def _int(loader: _Loader, node: yaml.ScalarNode) -> int:
    if len(node.value) > 64 or abs(value := yaml.SafeLoader.construct_yaml_int(loader, node)) > _LARGEST:
        raise _refuse(f"{node.value[:24]} is larger than a whole number may be, {_LARGEST}", node)
    return value


_Loader.add_constructor(_TAG + "map", _mapping)
_Loader.add_constructor(_TAG + "float", _float)
_Loader.add_constructor(_TAG + "int", _int)
_Loader.add_implicit_resolver(  # YAML 1.1 wants a dot before the exponent and would read 1e-3 as text
    _TAG + "float", re.compile(r"^[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def read(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; :class:`SuiteError` in one line where it is none."""
    try:
        if path.is_dir():
            raise SuiteError(path, "", "is a folder", "name a YAML file in it")
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
    except (ValueError, KeyError) as error:  # such as `!!bool maybe`
        raise SuiteError(path, "", f"a tag does not fit its value ({error})", "leave out tags (!!)") from error
    except RecursionError:
        raise SuiteError(path, "", "lists and mappings are nested too deeply", "see suites/quickstart.yaml") from None
    if content is None:
        raise SuiteError(path, "", "is empty", "see suites/quickstart.yaml for what a suite holds")
    if not isinstance(content, dict):
        raise SuiteError(path, "", "is not a mapping (`key: value`)", "see suites/quickstart.yaml")
    return content
