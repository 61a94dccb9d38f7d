"""What each loss term adds to a gradient step: arithmetic, time and memory, over full fine-tuning's own.

Run as ``python -m tests.benchmarks.test_loss_terms l2_sp text`` it trains in a fresh process and prints the peak of its
resident set above what it was before the model was built, in bytes.
"""

import statistics
import subprocess
import sys
import time

import torch

from bench.training.memory import Peak, resident
from bench.training.throughput import step_flops
from bench.transfer import Transfer
from tests.benchmarks.by_hand import transfer
from tests.models import prepare

PLAIN = "full_finetuning"
ARITHMETIC = {  # of a step with the term over one without: a forward pass is a third of it, a backward pass the rest
    "l2_sp": 1.0,  # a few operations for each weight, whatever the batch
    "ewc": 1.0,
    "lwf": 4 / 3,  # a forward pass of the pretrained model
    "delta": 4 / 3,
    "cross_domain_correspondence": 4 / 3,
    "domain_adaptation": 2.0,  # both passes again, for as many examples of the source
}
KINDS = {"text": [*ARITHMETIC], "images": [*ARITHMETIC]}
KINDS["text"].remove("cross_domain_correspondence")
FEATURES = 0.05  # what terms may compute of features, above the passes themselves
TIME = 0.6  # and what may be slower than its arithmetic: work that is bound by memory, and another load of the machine
STEPS, ROUNDS = 3, 7


def prepared(kind: str, approach: str) -> Transfer:
    """Ready to learn the target: with what is found out before, such as the Fisher information."""
    made = transfer(kind, steps=64)
    made.source = made.data
    prepare(made, approach, ewc={"examples": 16})
    for stage in made.stages:
        stage(64)
    return made


def seconds(made: Transfer) -> float:
    """A gradient step's, of this process."""
    started = time.process_time()
    made.practise("timed", STEPS)
    return (time.process_time() - started) / STEPS


def peak(kind: str, approach: str) -> int:
    """Bytes, in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.test_loss_terms", approach, kind]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def costs(kind: str) -> dict[str, tuple[float, float, float]]:
    """Term to the arithmetic, time and memory of a step with it, over those of a step without."""
    plain = prepared(kind, PLAIN)
    flops, memory = step_flops(plain), peak(kind, PLAIN)
    found = {}
    for approach in KINDS[kind]:
        made = prepared(kind, approach)
        for warm in (plain, made):
            seconds(warm)
        taken = [[seconds(one) for one in ((plain, made), (made, plain))[index % 2]] for index in range(ROUNDS)]
        ratios = [(pair[1] / pair[0]) ** (1 - 2 * (index % 2)) for index, pair in enumerate(taken)]
        found[approach] = step_flops(made) / flops, statistics.median(ratios), peak(kind, approach) / memory
    return found


def test_added_cost_of_each_term(benchmark):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        found = {"text": costs("text"), "images": benchmark.pedantic(costs, args=("images",), rounds=1)}
    finally:
        torch.set_num_threads(threads)
    print(f"\na gradient step, over {PLAIN}'s:\n{'term':29}{'kind':8}{'FLOPs':>7}{'time':>7}{'memory':>8}")
    for kind, terms in found.items():
        for approach, (flops, taken, memory) in terms.items():
            print(f"{approach:29}{kind:8}{flops:7.3f}{taken:7.3f}{memory:8.3f}")
            figures = {"FLOPs": flops, "time": taken, "memory": memory}
            benchmark.extra_info |= {f"{approach}, {kind}: {name}": round(value, 3) for name, value in figures.items()}
    for terms in found.values():
        for approach, (flops, taken, _) in terms.items():
            assert 1 <= flops < ARITHMETIC[approach] + FEATURES, approach
            assert taken < ARITHMETIC[approach] + TIME, approach


if __name__ == "__main__":
    torch.set_num_threads(1)
    before = resident()
    with Peak(torch.device("cpu"), before) as measured:
        prepared(sys.argv[2], sys.argv[1]).practise("measured", 8)
    print(measured.measures["peak_rss"])
