"""Repositories as the hub's cache lays them out, and a server on loopback that gives them away as the hub does."""

import hashlib
import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

COMMIT = "0123456789" * 4

Files = dict[str, bytes]


def in_folder(folder: Path) -> Files:
    """Every file of a folder by its name there."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def parquet(columns: dict[str, list[Any]]) -> bytes:
    """A table as a file."""
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def cached(home: Path, kind: str, repository: str, files: Files) -> Path:
    """Lay a repository out in the cache of a Hugging Face home; its snapshot's folder.

    Args:
        home: what ``HF_HOME`` names.
        kind: models or datasets.
        repository: its id.
        files: name to content.
    """
    root = home / "hub" / f"{kind}--{repository.replace('/', '--')}"
    snapshot = root / "snapshots" / COMMIT
    for folder in (root / "refs", root / "blobs", snapshot):
        folder.mkdir(parents=True, exist_ok=True)
    (root / "refs" / "main").write_text(COMMIT)
    for name, content in files.items():
        blob, link = root / "blobs" / hashlib.sha256(content).hexdigest(), snapshot / name
        blob.write_bytes(content)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    return snapshot


@contextmanager
def served(repositories: dict[tuple[str, str], Files]) -> Iterator[tuple[str, list[str]]]:
    """A hub on loopback: its address for ``HF_ENDPOINT``, and the list of the files that were downloaded.

    Args:
        repositories: (kind, id) to files, where the kind is models or datasets.
    """
    downloaded: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None: ...

        def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def say(self, content: Any) -> None:
            self.answer(200, json.dumps(content).encode(), Content_Type="application/json")

        def missing(self, code: str) -> None:
            self.answer(404, b"{}", X_Error_Code=code, X_Error_Message=f"{code} here")

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path).strip("/")
            for (kind, repository), files in repositories.items():
                about, prefix = f"api/{kind}/{repository}", "" if kind == "models" else "datasets/"
                if path == about or path.startswith(f"{about}/revision/"):
                    siblings = [{"rfilename": name, "size": len(content)} for name, content in files.items()]
                    self.say({"id": repository, "sha": COMMIT, "siblings": siblings, "private": False, "tags": []})
                    return
                if path.startswith(f"{about}/tree/"):
                    below = path.removeprefix(f"{about}/tree/").partition("/")[2]
                    self.say(
                        [entry for entry in self.entries(files) if not below or entry["path"].startswith(f"{below}/")]
                    )
                    return
                if path.startswith(f"{about}/paths-info/"):
                    length = int(self.headers.get("Content-Length", 0))
                    asked = json.loads(self.rfile.read(length))["paths"]
                    self.say([entry for entry in self.entries(files) if entry["path"] in asked])
                    return
                if path.startswith(f"{prefix}{repository}/resolve/"):
                    name = path.removeprefix(f"{prefix}{repository}/resolve/").partition("/")[2]
                    if name not in files:
                        self.missing("EntryNotFound")
                        return
                    if self.command == "GET":
                        downloaded.append(f"{repository}/{name}")
                    tag = hashlib.sha256(files[name]).hexdigest()
                    self.answer(200, files[name], ETag=f'"{tag}"', X_Repo_Commit=COMMIT)
                    return
            self.missing("RepoNotFound")

        do_HEAD = do_POST = do_GET  # noqa: N815

        def entries(self, files: Files) -> list[dict[str, Any]]:
            folders = {parent.as_posix() for name in files for parent in Path(name).parents} - {"."}
            found = [{"type": "directory", "path": path, "oid": "0" * 40, "size": 0} for path in sorted(folders)]
            return found + [
                {"type": "file", "path": name, "oid": hashlib.sha1(content).hexdigest(), "size": len(content)}
                for name, content in files.items()
            ]

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", downloaded
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
