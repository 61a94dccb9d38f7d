"""What other libraries say when they cannot load, build or run a model."""

_BEGINNING, _END = 400, 160  # characters: some list every model there is, and some end with the remedy


def one_line(error: BaseException) -> str:
    """An exception's text without its line breaks, and without its middle where it is long; its type where it says
    nothing."""
    said = " ".join(str(error).split()) or type(error).__name__
    return said if len(said) <= _BEGINNING + _END else f"{said[:_BEGINNING]} … {said[-_END:]}"
