"""Comparative evaluation of transfer learning in generative models.

>>> import bench
>>> table = bench.run("quickstart")  # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.api import plan, run

__version__ = "0.1.0"
__all__ = ["plan", "run"]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is: ``bench --help`` should not wait for it."""
    if name in __all__:
        from bench import api

        return getattr(api, name)
    raise AttributeError(f"module 'bench' has no attribute {name!r}")
