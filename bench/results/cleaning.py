"""Texts without what they say of the machine they were made on, and nobody else should read: paths, names, secrets.

Of a path its last part stays (``…/scores.csv``), so that a reader still knows what is meant. The same text gives the
same one on every machine, but for the names and secrets of the one that cleans it; a clean text stays as it is.
"""

import ipaddress
import os
import platform
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

PATHS, HOSTS, USERS, SECRETS = "paths", "hosts", "users", "secrets"

_GENERIC = {"root", "user", "users", "admin", "home", "ubuntu", "debian", "runner", "jovyan", "nobody", "localhost"}
_SECRET = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{16,}|sk-[\w-]{16,}|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,}"
    r"|AKIA[0-9A-Z]{16}|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]+)|(?<=[Bb]earer )[\w.~+/=-]{12,}"
)
_NAMED_SECRET = re.compile("TOKEN(?!IZ)|SECRET|PASSWORD|PASSWD|CREDENTIAL|API_?KEY|ACCESS_?KEY", re.IGNORECASE)
_PART = r"[^\s/\\'\"<>|:;,()\[\]{}*?=&`]+"
_QUOTED = re.compile(r"(?<=(['\"`]))(?:…|~[\w.-]*|[A-Za-z]:)?[\\/][^'\"`\n]*[\\/][^'\"`\n]*(?=\1)")
_WHOLE = re.compile(r"(?:~[^\\/\s]*)?/[^\n]*/[^\n]*|[A-Za-z]:[\\/][^\n]+|\\\\[^\n]+|~[^\\/\s]*/[^\n]+")
_PLACE = re.compile(
    r"(?P<url>[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>`]+)"
    rf"|(?<![\w.…~/-])(?:~[\w.-]*/|…?/{_PART}/)(?:{_PART}/)*(?:{_PART})?"
    rf"|/(?:home|Users)/(?:{_PART}/)*(?:{_PART})?"
    rf"|(?<!\w)[A-Za-z]:[\\/](?:{_PART}[\\/])*(?:{_PART})?"
    rf"|\\\\{_PART}(?:\\{_PART})+"
)
_LOCAL = (".local", ".localdomain", ".internal", ".lan", ".corp", ".intranet", ".home.arpa")
_HOMES = re.compile(r"(?:/(?:home|Users)|[A-Za-z]:[\\/]Users)[\\/][^\\/]+[\\/]?")


class Cleaner:
    """Cleans texts, and counts those in which something was found.

    Args:
        known: words that are no secret even where the machine or its user has such a name: those of the suite.
        paths: what is known to be one, so that where it stands in a text its end is known, too (:func:`paths_in`).

    Attributes:
        found: :data:`PATHS`, :data:`HOSTS`, :data:`USERS` or :data:`SECRETS` to the number of texts with one.
    """

    def __init__(self, known: Iterable[str] = (), paths: Iterable[str] = ()) -> None:
        self.found: Counter[str] = Counter()
        words = set(known)
        host, user = platform.node(), Path.home().name
        self._hosts = _words({host, host.partition(".")[0]} - words - _GENERIC)
        self._users = _words({user} - words - _GENERIC)
        folders = {str(Path.home()), os.getcwd()}  # noqa: PTH109 - as it is spelled, links and all
        self._folders = [_folder(name) for name in sorted(folders, key=len, reverse=True) if len(name) > 1]
        self._paths = sorted(paths, key=len, reverse=True)
        secrets = {value for name, value in os.environ.items() if _NAMED_SECRET.search(name) and _is_odd(value)}
        self._secrets = sorted(secrets - words, key=len, reverse=True)
        self._before: dict[str, tuple[str, set[str]]] = {}

    def value(self, value: Any) -> Any:
        """A JSON value with all its texts clean, and those of its keys that are no plain names."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key if key.isidentifier() else self.text(key): self.value(one) for key, one in value.items()}
        return [self.value(one) for one in value] if isinstance(value, list) else value

    def text(self, text: str) -> str:
        """A clean text."""
        if text not in self._before:
            self._before[text] = self._clean(text)
        clean, kinds = self._before[text]
        self.found.update(kinds)
        return clean

    def _clean(self, text: str) -> tuple[str, set[str]]:
        kinds = set[str]()

        def put(kind: str, new: str) -> str:
            kinds.add(kind)
            return new

        clean = _SECRET.sub(lambda _: put(SECRETS, "<secret>"), text)
        for secret in self._secrets:
            clean = clean.replace(secret, put(SECRETS, "<secret>")) if secret in clean else clean
        for path in self._paths:
            clean = clean.replace(path, self._name(path, put)) if path in clean else clean
        clean = _QUOTED.sub(lambda found: self._name(found[0], put), clean)
        for folder in self._folders:  # which may have spaces in them
            clean = folder.sub(lambda _: put(PATHS, "…"), clean)
        clean = _PLACE.sub(lambda found: self._place(found, put), clean)
        for kind, names in ((HOSTS, self._hosts), (USERS, self._users)):
            if names:
                clean = names.sub(lambda _, kind=kind: put(kind, f"<{kind[:-1]}>"), clean)  # type: ignore[misc]
        return clean, kinds

    def _place(self, found: "re.Match[str]", put: Any) -> str:
        place = found[0]
        if found["url"]:
            return _clean_url(place, put)
        return self._name(place, put)

    def _name(self, place: str, put: Any) -> str:
        """What stays of a path."""
        name = re.split(r"[\\/]", place.rstrip("\\/"))[-1]
        if _HOMES.fullmatch(place) or name == "…" or (self._users and self._users.search(name)):
            return str(put(PATHS, "…"))
        return str(put(PATHS, f"…/{name}"))


def paths_in(value: Any) -> set[str]:
    """Texts in a JSON value that are as a whole a path from a root or a home on: where a suite says what lies where."""
    if isinstance(value, str):
        return {value} if len(value) < 1000 and _WHOLE.fullmatch(value) else set()
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return set[str]().union(*map(paths_in, parts))


def _clean_url(address: str, put: Any) -> str:
    """An address without who asks, and without a host that only one network knows; of a file its name."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:  # such as a bracket that is not closed
        return str(put(HOSTS, "<host>"))
    if parts.scheme == "file":
        return str(put(PATHS, f"…/{parts.path.rstrip('/').rpartition('/')[2]}"))
    if "@" in parts.netloc:
        put(SECRETS, "")
        parts = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    if _is_local(host, parts):
        put(HOSTS, "")
        port = parts.netloc.rpartition(":")[2] if re.search(r":\d+$", parts.netloc) else ""
        parts = parts._replace(netloc=f"<host>{':' * bool(port)}{port}")
    clean = parts.geturl()
    return clean if parts.netloc != urlsplit(address).netloc else address


def _is_local(host: str, parts: SplitResult) -> bool:
    if not host or parts.scheme not in ("http", "https", "ws", "wss", "ssh", "ftp", "sftp", "grpc", "tcp"):
        return False
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return ("." not in host and host != "localhost") or host.endswith(_LOCAL)


def _is_odd(value: str) -> bool:
    """Whether a value is no word that may stand anywhere."""
    return len(value) >= 8 and not value.isalpha()


def _folder(name: str) -> "re.Pattern[str]":
    """Finds a folder at the head of a path, or alone; a short one, such as ``/root``, not within a relative path."""
    before = r"(?<![\w.…/])" if len(Path(name).parts) < 3 else ""
    return re.compile(rf"{before}{re.escape(name)}(?=[/\\]|(?![\w.-]))")


def _words(names: set[str]) -> "re.Pattern[str] | None":
    known = sorted((re.escape(name) for name in names if len(name) > 1), key=len, reverse=True)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(known)})(?![\w-])") if known else None


def told(found: Mapping[str, int]) -> str:
    """``3 with paths, 1 with hosts``: texts; empty where nothing was found."""
    return ", ".join(f"{found[name]} with {name}" for name in (PATHS, HOSTS, USERS, SECRETS) if found.get(name))
