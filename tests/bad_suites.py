"""What can be wrong with a suite, and what is said of it.

Each case is two lines: what is changed in a suite that is right (path in the file, YAML value), and how the line begins
that is said, after the file's name.
"""

from typing import Any

import yaml

from tests.plans import DROP, Changes

UNKNOWN = """
approaches/0: full_finetunning
    approaches.full_finetunning: unknown approach 'full_finetunning'; did you mean 'full_finetuning'? known: active
approaches/0: lora + augmentaton
    approaches.lora + augmentaton: unknown approach 'augmentaton'; did you mean 'augmentation'?
approaches/0: zzz
    approaches.zzz: unknown approach 'zzz'; known: active_learning, adapter,
approaches/0: lora +
    approaches.lora +: unknown approach ''; known: active_learning,
models/tiny/family: casual_lm
    models.tiny.family: unknown family 'casual_lm'; did you mean 'causal_lm'?
datasets/0: python_referense
    datasets: unknown dataset 'python_referense'; did you mean 'python_reference'?
models/tiny/recipe/source: python_docstring
    models.tiny.recipe.source: unknown dataset 'python_docstring'; did you mean 'python_docstrings'?
metrics/0: perplexty
    metrics: unknown metric 'perplexty'; did you mean 'perplexity'?
models/tiny/metrics: [csot]
    models.tiny.metrics: unknown metric 'csot'; did you mean 'cost'?
metrics/0: {fidelity: {space: inception_v2}}
    metrics.fidelity.space: unknown feature space 'inception_v2'; did you mean 'inception_v3'?
approaches/1: {lora: {rnk: 4}}
    approaches.lora.options: approach lora: no option 'rnk'; did you mean 'rank'? it has: rank, alpha, dropout, layers
approaches/2: {lora + augmentation: {lora: {rnk: 4}}}
    approaches.lora + augmentation.options.lora: approach lora: no option 'rnk'; did you mean 'rank'?
approaches/2: {lora + augmentation: {rank: 4}}
    approaches.lora + augmentation.options: 'rank' is not part of 'lora + augmentation'; use: lora, augmentation
approaches/0: {full_finetuning: {rank: 4}}
    approaches.full_finetuning.options: approach full_finetuning: no option 'rank'; it has: none
models/tiny/options: {contxt: 4}
    models.tiny.options: family causal_lm: no option 'contxt'; did you mean 'context'?
datasets/0: {python_reference: {size: 4}}
    datasets.python_reference: dataset python_reference: no option 'size'; it has:
models/tiny/recipe/source: {python_reference: {size: 4}}
    models.tiny.recipe.source: dataset python_reference: no option 'size'; it has:
metrics/1: {cost: {unit: s}}
    metrics.cost: metric cost: no option 'unit'; it has:
sedes: [1]
    sedes: unknown key; did you mean 'seeds'?
models/tiny/famly: causal_lm
    models.tiny.famly: unknown key; did you mean 'family'?
models/tiny/recipe/step: 3
    models.tiny.recipe.step: unknown key; did you mean 'steps'?
models/tiny/recipe/source: {name: python_code, size: 3}
    models.tiny.recipe.source.size: unknown key; use: name, options
approaches/0: {name: x, approach: lora, option: {}}
    approaches.0.option: unknown key; did you mean 'options'?
approaches/0: {lora: , rank: 8}
    approaches.0.lora: unknown key; indent what belongs to it further, or take it out
budget: {stepz: 3, batch_size: 4}
    budget.stepz: unknown key; did you mean 'steps'?
budget/stepps: 3
    budget.stepps: unknown key; did you mean 'steps'?
models/tiny/budget: {stepps: 3}
    models.tiny.budget.stepps: unknown key; did you mean 'steps'?
evaluation/sample: 3
    evaluation.sample: unknown key; did you mean 'samples'?
tuning: {lerning_rate: [1]}
    tuning.lerning_rate: unknown axis; did you mean 'learning_rate'?
tuning: {lroa.rank: [1]}
    tuning.lroa.rank: unknown approach 'lroa'; did you mean 'lora'?
tuning: {lora.rnk: [1]}
    tuning.lora.rnk: approach lora: no option 'rnk'; did you mean 'rank'?
tuning: {gradual_unfreezing.until: [1]}
    tuning.gradual_unfreezing.until: no approach of the suite has 'gradual_unfreezing' in it; take it out
models/tiny/datasets: [python_code]
    models.tiny.datasets: "python_code" is not among the suite's datasets; add it to datasets
models/tiny/datasets: [python_referense]
    models.tiny.datasets: "python_referense" is not among the suite's datasets; did you mean 'python_reference'?
"""

MISTYPED = """
seeds: 3
    seeds: 3 will not do; it should be a list such as [a, b]
seeds: [true]
    seeds.0: true will not do; it should be a whole number
seeds: [0, 0.5]
    seeds.1: 0.5 will not do; it should be a whole number
seeds: ["3"]
    seeds.0: "3" will not do; it should be a whole number
seeds: [-1]
    seeds: -1 is too small; use 0 or more
data_sizes: [0]
    data_sizes: 0 is too small; use 1 or more
models/tiny/data_sizes: [0]
    models.tiny.data_sizes: 0 is too small; use 1 or more
datasets: python_reference
    datasets: "python_reference" will not do; it should be a list such as [a, b]
approaches: [null]
    approaches.0: null will not do; it should be a name, or a name with options
approaches: [[lora]]
    approaches.0: ["lora"] will not do; it should be a name, or a name with options
metrics: [3]
    metrics.0: 3 will not do; it should be a name, or a name with options
approaches: [{lora: 3}]
    approaches.0.options: 3 will not do; it should be a mapping
approaches: [{lora: 0}]
    approaches.0.options: 0 will not do; it should be a mapping
approaches: [{lora: [rank]}]
    approaches.0.options: ["rank"] will not do; it should be a mapping
approaches/2: {lora + augmentation: {lora: [4]}}
    approaches.lora + augmentation.options.lora: [4] will not do; it should be a mapping
approaches/1: {lora: {rank: eight}}
    approaches.lora.options: approach lora: option 'rank': "eight" will not do; it should be a whole number
approaches/1: {lora: {rank: true}}
    approaches.lora.options: approach lora: option 'rank': true will not do; it should be a whole number
approaches/1: {lora: {rank: 0}}
    approaches.lora.options: approach lora: option 'rank': 0 will not do; it should be greater than or equal to 1
approaches/1: {lora: {layers: some}}
    approaches.lora.options: approach lora: option 'layers': "some" will not do; it should be 'all' or 'attention'
models/tiny: null
    models.tiny: null will not do; it should be a mapping
models: []
    models: [] will not do; it should be a mapping
models/tiny/family: [causal_lm]
    models.tiny.family: ["causal_lm"] will not do; it should be text
models/tiny/recipe/steps: 0
    models.tiny.recipe.steps: 0 will not do; it should be greater than or equal to 1
models/tiny/trust_remote_code: 1
    models.tiny.trust_remote_code: 1 will not do; it should be true or false
budget: 3
    budget: 3 will not do; it should be a mapping
budget: {steps: 3, examples: 40}
    budget: is given in steps and in examples; budgets are equal in one of them; keep one
budget/steps: many
    budget.steps: "many" will not do; it should be a whole number
models/tiny/budget: {batch_size: 0}
    models.tiny.budget.batch_size: 0 will not do; it should be greater than or equal to 1
approaches/0: {name: x, approach: lora, budget: {clip: -1}}
    approaches.x.budget.clip: -1 will not do; it should be greater than 0
budget/precision: fp8
    budget.precision: "fp8" will not do; it should be 'auto', 'fp32', 'bf16' or 'fp16'
evaluation/samples: 1
    evaluation.samples: 1 will not do; it should be greater than or equal to 2
tuning: {learning_rate: 3}
    tuning.learning_rate: 3 will not do; it should be a list such as [a, b]
tuning: {learning_rate: [high]}
    tuning.learning_rate: "high" will not do; it should be a number
tuning: {learning_rate: [-0.001]}
    tuning.learning_rate: -0.001 will not do; it should be greater than 0
tuning: {lora.rank: [0]}
    tuning.lora.rank: approach lora: option 'rank': 0 will not do; it should be greater than or equal to 1
keep: some
    keep: "some" will not do; it should be 'best', 'all' or 'none'
tolerances: {quality: -0.1}
    tolerances.quality: -0.1 will not do
tolerances: {speed: much}
    tolerances.speed: "much" will not do
tolerances: 0.1
    tolerances: 0.1 will not do
description: [a, b]
    description: ["a", "b"] will not do; it should be text
"""

MISSING_OR_EMPTY = """
budget: DROP
    budget.steps: missing; add it
models/tiny/family: DROP
    models.tiny.family: missing; add it
models/tiny/recipe/architecture: DROP
    models.tiny.recipe.architecture: missing; add it
models/tiny/recipe: DROP
    models.tiny: needs either a checkpoint or a recipe; write one of the two
models/tiny/checkpoint: gpt2
    models.tiny: needs either a checkpoint or a recipe; write one of the two
models/tiny/revision: main
    models.tiny.revision: goes with a checkpoint, and this is a recipe; take it out
models/tiny/fingerprint: abc
    models.tiny.fingerprint: unknown key; use: family, checkpoint, revision,
models: {}
    models: is empty; name at least one
tuning: {learning_rate: []}
    tuning.learning_rate: is empty; name at least one value
"""

LISTS: dict[str, Any] = {
    "datasets": "python_reference",
    "approaches": "lora",
    "metrics": "cost",
    "seeds": 3,
    "data_sizes": 4,
    "models/tiny/datasets": "python_reference",
    "models/tiny/metrics": "cost",
    "models/tiny/data_sizes": 4,
}
"""Every list of names or numbers, and something that may stand in it."""

NO_NAMES = ["../x", "/etc/x", "", ".x", "a\nb", "a\\b", "x" * 81]

NAMED = """
models: {NAME: {family: causal_lm, checkpoint: gpt2}}
    models:
models/tiny/family: NAME
    models.tiny.family:
models/tiny/source: NAME
    models.tiny.source:
models/tiny/recipe/source: NAME
    models.tiny.recipe.source:
models/tiny/datasets: [NAME]
    models.tiny.datasets:
models/tiny/metrics: [NAME]
    models.tiny.metrics:
datasets: [NAME]
    datasets:
approaches: [NAME]
    approaches:
approaches: [{name: NAME, approach: lora}]
    approaches:
approaches: [{name: x, approach: NAME}]
    approaches.x:
metrics: [NAME]
    metrics:
metrics: [{fidelity: {space: NAME}}]
    metrics.fidelity.space:
seeds: [NAME]
    seeds.0:
tuning: {NAME: [1]}
    tuning.
"""


def cases(*tables: str, name: str = "") -> list[tuple[Changes, str]]:
    """(changes, what is said) of every two lines; ``NAME`` stands for ``name``, ``DROP`` takes the key out."""
    lines = [line for table in tables for line in table.strip().splitlines()]
    quoted = yaml.safe_dump(name, default_style='"', width=1000).strip()
    found = []
    for change, said in zip(lines[::2], lines[1::2], strict=True):
        ((path, value),) = yaml.safe_load(change.replace("NAME", quoted)).items()
        found.append(({path: DROP if value == "DROP" else value}, said.strip()))
    return found
