"""What a server's tokens say of a text that it was given."""

_NO_LETTERS = ("\N{REPLACEMENT CHARACTER}", "Ġ", "Ċ", "▁", "bytes:")
"""What stands in the names of tokens for parts of a character, and for blanks."""


def given_back(tokens: list[str], own: int, beginning: str, text: str) -> str | None:
    """A text as the tokens have it; None where these are not named in letters.

    Args:
        tokens: of the beginning and the text behind it.
        own: index of the first token that the beginning alone does not have.
        beginning, text: what the server was given.
    """
    if not all(isinstance(token, str) for token in tokens):
        return None
    said = "".join(tokens)
    if any(mark in said and mark not in f"{beginning}{text}" for mark in _NO_LETTERS):
        return None
    _, found, behind = said.partition(beginning)
    return behind if found else "".join(tokens[own:])
