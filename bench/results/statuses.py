"""Words of records that whoever only counts ends needs, too: by themselves, as he need not wait for pydantic."""

STATUSES = ("ok", "failed", "out_of_memory", "diverged", "timed_out", "not_applicable")
"""How a cell may end."""
ENDED_WELL = ("ok", "not_applicable")
UNKNOWN = "unknown"
"""Stands for a name that a damaged record does not tell."""
