"""What the transfer took: time, steps, parameters, memory, disk."""

from bench.evaluation import Better, Evaluation, Score

NEEDS = ("network",)


def cost(evaluation: Evaluation) -> list[Score]:
    """Time, steps, parameters, checkpoint size and peak memory of training.

    ``training_seconds`` is the chosen trial alone, ``tuning_seconds`` all ``trials`` of the tuning grid together. So
    ``training_peak_rss`` (on a GPU ``training_peak_allocated`` and ``training_peak_reserved``) is the peak memory of
    the chosen trial, and ``tuning_peak_rss`` … that of the trial that took most: what a machine must have to tune.
    ``training_steps`` counts every gradient step, ``target_steps`` those on the target itself: the rest went into
    teachers, inner loops and pre-stages. ``training_examples`` counts the rows that gradients were taken of, and
    ``pool_examples`` the target's items that were looked at beside the cell's own. ``stored_parameters`` is what must
    be kept beside the pretrained model to have the result again, and ``checkpoint_bytes`` the size of that file.
    ``mfu`` is there where the accelerator's peak is known.
    """
    took = evaluation.training
    listed: list[tuple[str, float, str, Better]] = [
        ("training_seconds", took.seconds, "s", "lower"),
        ("tuning_seconds", took.tuning_seconds, "s", "lower"),
        ("training_step_seconds", took.step_seconds, "s", "lower"),
        ("training_step_flops", took.step_flops, "FLOP", "lower"),
        ("trials", took.trials, "", "none"),
        ("training_steps", took.steps, "", "none"),
        ("target_steps", took.stages.get("", 0), "", "none"),
        ("training_examples", took.examples, "", "none"),
        ("pool_examples", took.looked, "", "lower"),
        ("trainable_parameters", took.trainable, "", "lower"),
        ("stored_parameters", took.stored, "", "lower"),
        ("total_parameters", took.total, "", "lower"),
        ("checkpoint_bytes", took.checkpoint_bytes, "bytes", "lower"),
        *((name, size, "bytes", "lower") for name, size in took.peak_memory.items()),
    ]
    if took.mfu is not None:
        listed.append(("mfu", took.mfu, "", "higher"))
    return [Score(name, float(value), unit, better, n=1) for name, value, unit, better in listed]
