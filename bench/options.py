"""The types that options of plugins are declared with, beside ``int``, ``float``, ``str``, ``bool`` and ``Literal``.

An option is a keyword-only parameter. Its annotation is all that is needed to check the value a suite gives it.
"""

from typing import Annotated

from pydantic import Field

Count = Annotated[int, Field(ge=1)]
"""A whole number of things, at least one."""

Natural = Annotated[int, Field(ge=0)]
"""A whole number of things, or none."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""A finite number above zero."""

NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""A finite number, zero or above."""

Fraction = Annotated[float, Field(ge=0, le=1)]
"""A share between zero and one, both included."""
