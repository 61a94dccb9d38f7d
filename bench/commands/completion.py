"""Print what makes a shell complete commands, suites and names.

In ``~/.bashrc`` or ``~/.zshrc``: ``eval "$(bench completion bash)"``, or ``zsh``; in fish:
``bench completion fish > ~/.config/fish/completions/bench.fish``.
"""

import argparse

_SHELLS = ("bash", "zsh", "fish")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The shell."""
    parser.add_argument("shell", choices=_SHELLS, metavar="SHELL", help=f"one of: {', '.join(_SHELLS)}")


def call(chosen: argparse.Namespace) -> int:
    """To be evaluated by the shell when it starts, or (fish) piped into ``source``."""
    import argcomplete

    print(argcomplete.shellcode(["bench"], shell=chosen.shell), end="")
    return 0
