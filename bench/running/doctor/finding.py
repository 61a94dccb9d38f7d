"""What was looked at, how it stands, and what to do about it."""

from typing import Literal, NamedTuple


class Finding(NamedTuple):
    """One line of the doctor's.

    Attributes:
        level: ``ok``; ``note`` for what is good to know and stops nothing; ``fault`` for what will.
        area: what was looked at, in a word.
        what: how it stands.
        remedy: what to do; empty where nothing is to be done.
    """

    level: Literal["ok", "note", "fault"]
    area: str
    what: str
    remedy: str = ""
