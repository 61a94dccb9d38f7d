"""Read a YAML file as its writer meant it: safe, no key twice, and ``1e-3`` a number."""

import re
from pathlib import Path
from typing import Any

import yaml

from bench.errors import SuiteError


class _Loader(yaml.SafeLoader):
    """A safe loader that refuses what YAML 1.1 would swallow."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, list | dict) or key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"duplicate entry {key!r}", key_node.start_mark)
        seen.add(key)
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
_Loader.add_implicit_resolver(  # YAML 1.1 wants a dot before the exponent and would read 1e-3 as text
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def read(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; :class:`SuiteError` in one line where it is none."""
    if path.is_dir():
        raise SuiteError(path, "", "is a folder", "name a YAML file in it")
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a SafeLoader
    except FileNotFoundError:
        raise SuiteError(path, "", "no such file", "check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SuiteError(
            path, "", f"cannot be read ({error})", "it should be a UTF-8 text file you may read"
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        remedy = "keep one of the two" if "duplicate" in problem else "mend the YAML there"
        raise SuiteError(path, where, problem, remedy) from error
    except ValueError as error:  # such as a date of month 13
        raise SuiteError(path, "", f"not YAML ({error})", "put quotes round it if it is text") from error
    if content is None:
        raise SuiteError(path, "", "is empty", "see suites/quickstart.yaml for what a suite holds")
    if not isinstance(content, dict):
        raise SuiteError(path, "", f"is a {type(content).__name__}, not a mapping", "see suites/quickstart.yaml")
    return content
