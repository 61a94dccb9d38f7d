"""What the columns of tables are: types, units and meanings, for who writes them and who reads a published one."""

from typing import NamedTuple


class Column(NamedTuple):
    """One of a table: its type as pandas names it, what it holds, and the unit where that is always the same."""

    kind: str
    meaning: str
    unit: str = ""


RESULTS = {
    "suite": Column("str", "the suite that was run"),
    "run": Column("str", "which of its runs"),
    "cell": Column("str", "name of the cell: one approach on one model and target, with one data size and seed"),
    "model": Column("str", "the pretrained model, by the name that the suite gives it"),
    "family": Column("str", "what kind of model it is"),
    "modality": Column("str", "what kind of data it makes"),
    "source": Column("str", "what it was pretrained on; empty where that is not known"),
    "target": Column("str", "the domain that it is transferred to"),
    "approach": Column("str", "how, or the control that it is held against"),
    "options": Column("str", "the approach's parts with their options, as JSON"),
    "data_size": Column("int64", "training examples of the target; 0 where an approach uses none", "examples"),
    "data_quality": Column("str", "clean, or how the training examples were spoilt"),
    "seed": Column("int64", "decides which examples are drawn, and all noise"),
    "status": Column("str", "how the cell ended: ok, failed, out_of_memory, diverged, timed_out or not_applicable"),
    "metric": Column("str", "what was measured; empty in the one row of a cell without scores"),
    "value": Column("float64", "the score, in the row's unit; missing where there is none"),
    "unit": Column("str", "of value and error; empty for a pure number"),
    "better": Column("str", "which values are: lower, higher, or none where neither is"),
    "n": Column("int64", "how many items, samples or repetitions the score rests on"),
    "error": Column("float64", "the score's own standard error over these, in the row's unit; missing where not known"),
    "reason": Column("str", "why a cell that is not ok ended as it did"),
    "damaged": Column("int64", "items of its domains that were left out because they could not be read", "items"),
}
"""Of the tidy table: one row per (cell, metric)."""

CURVES = {
    "trial": Column("int64", "which point of the tuning grid, from 0"),
    "step": Column("int64", "gradient steps taken so far", "steps"),
    "stage": Column("str", "empty on the target itself, else the name of a stage before it"),
    "train_loss": Column("float64", "the model's loss on the latest batches, in the unit of test_loss"),
    "validation_loss": Column("float64", "the same on the validation split, where it was looked at there"),
    "learning_rate": Column("float64", "of the next step"),
    "seconds": Column("float64", "since the trial began", "s"),
}
"""Of a cell's ``curve.csv``: one row per point at which something was noted."""

ITEMS = {
    "metric": Column("str", "the score that is meant, as in results"),
    "item": Column("int32", "number of the item in the test split: the same items for all cells of a model and target"),
    "value": Column("float32", "what the item adds: the mean over the items is the score, but for rounding"),
}
"""Of scores by test items: one row per (cell, metric, item)."""

OF_CELL = {"cell": RESULTS["cell"]}
"""Stands before the columns of curves and items where those of many cells are one table."""
