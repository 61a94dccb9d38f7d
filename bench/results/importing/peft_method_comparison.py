"""The results of PEFT's method comparison (github.com/huggingface/peft, folder method_comparison).

DIR is that folder, one of its tasks' (MetaMathQA, image-gen) or one of result files; ``results`` and
``cancelled_results`` are read, ``temporary_results`` only where it is named. Of each JSON file ``experiment_name``
becomes the approach, what was tested the scores, and time, memory, size and parameters the costs. Data size is the
number of different training examples: the images that are not set aside, or the texts that were taken, at most once
each. Results without it are left out and counted where others have it; where none has, 0 stands for it in all.

What a file does not say stays missing, and is counted. What was canceled or ran out of memory is a failed row. Of
several runs of one experiment the last that succeeded counts, as PEFT has it.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.results.imported import Imported

SUITE = "peft_method_comparison"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The folder."""
    parser.add_argument("path", type=Path, metavar="DIR", help="method_comparison, a task's folder, or one of results")


def read(chosen: argparse.Namespace) -> "Imported":
    """All results in a folder; :class:`bench.errors.ResultsError` where there is none."""
    from bench.results.importing import _peft_folder

    return _peft_folder.imported(chosen.path)
