"""Text target near to python_docstrings: the language reference."""

from bench.dataset import Dataset
from bench.datasets._text import assign, dataset, distinct, paragraphs, passages
from bench.errors import DataError

MODALITY = "text"

SHARES = {"test": 0.15, "validation": 0.10}
"""Share of the characters that is held out: more than in the larger domains, to have enough to score."""

LONGEST = 600
"""Characters in a passage, at most: fewer than in the larger domains, to have more of them."""


def python_reference() -> Dataset:
    """The language reference as ``help()`` shows it, topic by topic, of the Python that runs.

    Passages of whole paragraphs, 40 to 600 characters. Splits are by topic, about 75/10/15 per cent of the text.
    Topics quote each other at length, so paragraphs that are near-duplicates are removed before passages are formed.
    """
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise DataError(
            "dataset python_reference: this Python lacks pydoc_data; use a complete installation"
        ) from error
    splits = assign({topic: len(text) for topic, text in topics.items()}, SHARES)
    found = [(topic, part) for topic in splits for part in paragraphs(topics[topic])]
    kept: dict[str, list[str]] = {topic: [] for topic in splits}
    for (topic, part), is_new in zip(found, distinct([part for _, part in found]), strict=True):
        if is_new:
            kept[topic].append(part)
    groups = {topic: passages(parts, LONGEST) for topic, parts in kept.items()}
    return dataset("python_reference", groups, splits)
