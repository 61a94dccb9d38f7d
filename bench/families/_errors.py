"""What other libraries say when they cannot load, build or run a model."""


def one_line(error: BaseException) -> str:
    """An exception's text without its line breaks; its type where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__
