"""``bench``: one file of :mod:`bench.commands` is one command. Imports no torch.

Exit codes: 0 all cells are ok or not applicable; 1 some cells failed (also where their model or data cannot be had),
diverged, or ran out of time or memory, also where the run stopped at the first of them; 2 bad input, said in one line;
130 interrupted.
"""

import argparse
import errno
import gc
import importlib
import io
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from bench import __version__
from bench.commands import _arguments, _saying
from bench.errors import BenchError

_OF_FOLDERS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EIO)
_LOOK_FOR_CYCLES = 200_000
"""New objects between two looks: importing makes many and leaves none behind, and Python's 700 cost it a tenth."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no arrow gets a question mark
    # pydantic would read the entry points of all that is installed: one that is broken would end every command
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    gc.set_threshold(_LOOK_FOR_CYCLES)
    parser = make_parser()
    if "_ARGCOMPLETE" in os.environ:  # a shell asks how the line may go on
        import argcomplete

        argcomplete.autocomplete(parser)
    chosen = parser.parse_args(arguments)
    logging.captureWarnings(True)  # those of other libraries: nobody here can mend them
    try:
        return int(chosen.call(chosen))
    except BrokenPipeError:  # such as `bench list | head`
        sys.stderr.close()
        return 0
    except BenchError as error:
        print(_saying.line(error), file=sys.stderr)
        return {"Interrupted": 130, "Failed": 1}.get(type(error).__name__, 2)
    except OSError as error:
        if error.errno not in _OF_FOLDERS or not error.filename:
            raise
        print(_saying.line(f"{error.filename}: cannot be used ({error.strerror}); name another"), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("bench: stopped", file=sys.stderr)
        return 130
    finally:
        logging.captureWarnings(False)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one line, as everything else is said."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, _saying.line(f"{message}; see `{self.prog} --help`") + "\n")


def make_parser() -> argparse.ArgumentParser:
    """The whole command line: a module ``commands/NAME.py`` says in its docstring what the command ``NAME`` is for,
    in ``add_arguments`` what it takes, and in ``call`` what it does."""
    parser = _Parser(
        prog="bench",
        description="Compare ways of transferring pretrained generative models to new domains.",
        epilog="Start with: bench run quickstart",
    )
    parser.add_argument("--version", action="version", version=f"transferbench {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for path in sorted((Path(__file__).parent / "commands").glob("[a-z]*.py")):
        module = importlib.import_module(f"bench.commands.{path.stem}")
        command = _arguments.add_parser(commands, path.stem, str(module.__doc__).replace("``", "`"))
        module.add_arguments(command)
        command.set_defaults(call=module.call)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
