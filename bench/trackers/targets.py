"""Where results are sent to, as a user says it: ``mlflow``, or ``mlflow=http://127.0.0.1:5000``. Imports no torch."""

import difflib
import importlib.util
import os
import re
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from bench.errors import BenchError
from bench.words import cut

VARIABLE = "TRANSFERBENCH_TRACK"
"""The environment's ``--track``, where none is typed: trackers apart from each other by spaces."""

NAMES = ("mlflow", "tensorboard", "trackio", "wandb")
"""Each is also the module of its package, and the extra that brings it."""

_PATIENCE = 3.0  # seconds for a server to take a connection
_SCHEMES = {"http": 80, "https": 443}
_USER = re.compile(r"(?<=//)[^/@\s]+(?=@)")
_SECRET = re.compile(r"(TOKEN|PASSWORD|API_KEY|SECRET)$")
_SHORTEST = 6  # characters of a secret; a shorter one is also a word


class TrackerError(BenchError):
    """A tracker that is asked for cannot be one."""


class Target(NamedTuple):
    """A tracker, and the address or the folder that it keeps things at."""

    name: str
    address: str

    def __str__(self) -> str:
        return f"{self.name} at {without_secrets(self.address)}"


def chosen(said: Sequence[str] | None, option: str = "--track") -> list[Target]:
    """The trackers that were asked for with an ``option``, or else those of :data:`VARIABLE`, each once.

    :class:`TrackerError` for one that we do not know, that is not installed, or that has no address.
    """
    if said is None:
        said, option = os.environ.get(VARIABLE, "").split(), VARIABLE
    return list(dict.fromkeys(_target(one, option) for one in said))


def _target(said: str, option: str) -> Target:
    name, _, address = said.partition("=")
    if name not in NAMES:
        close = difflib.get_close_matches(name.lower(), NAMES, 1)
        meant = f"did you mean {close[0]}?" if close else f"there are {', '.join(NAMES)}"
        raise TrackerError(f"{option} {cut(name, 60)!r}: no tracker is called so; {meant}")
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:  # a folder of that name is no package
        raise TrackerError(f"{option} {name}: {name} is not installed; pip install 'transferbench[{name}]'")
    return Target(name, _mlflow(address, option) if name == "mlflow" else _folder(name, address, option))


def _mlflow(address: str, option: str) -> str:
    if not (address := address or os.environ.get("MLFLOW_TRACKING_URI", "")):
        raise TrackerError(
            f"{option} mlflow: at which server? Set MLFLOW_TRACKING_URI, or write mlflow=http://127.0.0.1:5000"
        )
    with suppress(ValueError):  # of a port that is none
        parts = urlsplit(address)
        if parts.scheme not in _SCHEMES or (parts.hostname and parts.port != 0):
            return address
    raise TrackerError(f"{option} mlflow={cut(without_secrets(address), 100)}: no address of a server")


def _folder(name: str, said: str, option: str) -> str:
    """Where a tracker that writes files puts them: where it would by itself, or in ``tensorboard``."""
    default = {
        "tensorboard": "tensorboard",
        "wandb": os.environ.get("WANDB_DIR") or ".",
        "trackio": os.environ.get("TRACKIO_DIR") or Path.home() / ".cache" / "huggingface" / "trackio",
    }
    if "://" in said:
        raise TrackerError(f"{option} {name}={cut(without_secrets(said), 100)}: {name} gets a folder; name one")
    folder = Path(said or default[name]).expanduser().absolute()
    if folder.exists() and not folder.is_dir():
        raise TrackerError(f"{option} {name}={cut(str(folder), 300)}: a file stands where a folder is needed")
    return str(folder)


def doubts(targets: Sequence[Target]) -> list[str]:
    """A line for each tracker that may get nothing, so that it can be mended while the run goes on."""
    found = []
    for target in targets:
        if fault := _unreachable(target.address):
            found.append(f"{target}: {fault}; see that it is up. The run goes on, and asks it again when it ends")
        for variable in ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL"):
            if target.name == "trackio" and os.environ.get(variable):
                found.append(f"{target}: it goes into this folder whatever {variable} says; `trackio sync` sends it on")
    return found


def _unreachable(address: str) -> str:
    """What is wrong with a connection to a server; empty where it stands, or where a proxy makes it."""
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(address)
    if parts.scheme not in _SCHEMES or not parts.hostname:
        return ""
    if parts.scheme in getproxies() and not proxy_bypass(parts.hostname):
        return ""
    try:
        socket.create_connection((parts.hostname, parts.port or _SCHEMES[parts.scheme]), _PATIENCE).close()
    except TimeoutError:
        return f"no answer within {_PATIENCE:g} s"
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return ""


def without_secrets(text: str) -> str:
    """A text without users and passwords in addresses, and without what the environment holds of that kind."""
    text = _USER.sub("***", text)
    for name, value in os.environ.items():
        if len(value) >= _SHORTEST and _SECRET.search(name.upper()):
            text = text.replace(value, "***")
    return text
