"""What an operating system says of a folder that cannot be written, in words that help."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.errors import ResultsError


@contextmanager
def clear_errors(path: Path, instead: str = "folder with --results or --reports") -> Iterator[None]:
    """Turn what an operating system says of a full or forbidden disk into a :class:`ResultsError`.

    Args:
        path: what is written.
        instead: what else a user may name.
    """
    try:
        yield
    except Exception as error:
        if is_full(error):
            raise ResultsError(f"{path}: the disk is full; free some space and run the same command again") from error
        number = _errno(error)
        if number in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise ResultsError(f"{path}: not writable; name another {instead}") from error
        if number in (errno.ENOTDIR, errno.EEXIST):
            raise ResultsError(f"{path}: a file stands where a folder is needed; name another {instead}") from error
        if isinstance(error, OSError) and number:  # under /proc, with too long a name, on a disk that fails …
            said = f"cannot be written ({os.strerror(number)})"
            raise ResultsError(f"{path}: {said}; name another {instead}") from error
        raise


def is_full(error: BaseException) -> bool:
    """Whether an exception says so."""
    return _errno(error) in (errno.ENOSPC, errno.EDQUOT)


def _errno(error: BaseException) -> int | None:
    said = re.search(r"\(os error (\d+)\)", str(error))  # how libraries in Rust say it, such as safetensors
    return int(said[1]) if said else getattr(error, "errno", None)
