"""What kind of model a checkpoint says that it is, and whether that is what a family takes. Imports no torch.

A family says what it takes as its module's constant ``CHECKPOINT``, which is read like all that plugins state::

    kind        in words
    networks    folders with a config.json and weights, "" for the checkpoint's own, to what their config.json says
    parts       other folders, to what the JSON in them says; optional: those that may be there besides
    pipelines   classes that model_index.json may name; "" where it need not be there
    tasks       of transformers: a model_type has a model for each task of one of the groups
    tokenizer   the folder of a tokenizer, and that of the config.json which says how many tokens the network knows

What a JSON says of a key is one of a tuple's values, ``...`` for anything but null, or what another key says
(``in_channels``, or ``vae.latent_channels`` of another folder); of the keys in ``null`` it says nothing. What it does
not say at all is left to the library.
"""

import json
from pathlib import Path
from typing import Any

from bench import plugins
from bench.checkpoints import libraries
from bench.errors import BenchError, Unusable

Stated = dict[str, Any]

CONFIG, _INDEX, _PEFT = "config.json", "model_index.json", "adapter_config.json"
_MERGE = "merge it into its base model (merge_and_unload), and save that with its tokenizer"
_TASKS = [
    *("CAUSAL_LM", "MASKED_LM", "SEQ_TO_SEQ_CAUSAL_LM", "SPEECH_SEQ_2_SEQ", "CTC", "MULTIPLE_CHOICE"),
    *("SEQUENCE_CLASSIFICATION", "TOKEN_CLASSIFICATION", "QUESTION_ANSWERING", "NEXT_SENTENCE_PREDICTION"),
    *("AUDIO_CLASSIFICATION", "IMAGE_CLASSIFICATION", "TEXT_TO_SPECTROGRAM", "TEXT_TO_WAVEFORM"),
]
"""A class for one of them is none for another, though transformers would take its weights."""


class _Another(Exception):
    """It is of another kind: which."""


def check(checkpoint: Path, family: str, *, trusted: bool = False) -> None:
    """Raise :class:`Unusable` where a checkpoint is certainly of another kind than the family's."""
    wanted = stated(family)
    try:
        _compare(checkpoint, wanted, trusted)
    except _Another as other:
        problem = f"{other}, and family {family} takes {wanted['kind']}"
        raise Unusable(problem, _instead(checkpoint, family)) from None


def stated(family: str) -> Stated:
    """What a family says that it takes; empty where it does not."""
    found = plugins.find("families", family).constants.get("CHECKPOINT")
    return found if isinstance(found, dict) and {"kind", "networks"} <= set(found) else {}


def read(path: Path) -> Stated:
    """A mapping from a JSON file; empty where there is no file."""
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise Unusable(f"its {path.name} is no JSON ({error})", "download or save it again") from error
    if not isinstance(found, dict):
        raise Unusable(f"its {path.name} is no mapping", "download or save it again")
    return found


def folder(checkpoint: Path, name: str) -> Path:
    """Of a part; the checkpoint's own where that has no such folder, as old pipelines lie."""
    return checkpoint / name if name and (checkpoint / name).is_dir() else checkpoint


# Comparing ------------------------------------------------------------------------------------------------------------


def _compare(checkpoint: Path, takes: Stated, trusted: bool) -> None:
    _adapter(checkpoint, takes)
    _pipeline(checkpoint, takes)
    for name, wanted in (takes.get("networks", {}) | takes.get("parts", {})).items():
        _settings(checkpoint, name, wanted)
    if "tasks" in takes:
        _task(read(checkpoint / CONFIG), takes["tasks"], trusted)


def _adapter(checkpoint: Path, takes: Stated) -> None:
    """That no network has one beside it: transformers attaches it in silence, and freezes all but that."""
    for name in takes.get("networks", {}):
        if (folder(checkpoint, name) / _PEFT).is_file():
            where = f"its {name}" if name else "it"
            beside = f" beside its {CONFIG}" if (folder(checkpoint, name) / CONFIG).is_file() else ""
            raise Unusable(f"{where} holds an adapter of PEFT ({_PEFT}){beside}", _MERGE)


def _pipeline(checkpoint: Path, takes: Stated) -> None:
    """Its class, and that it has no part which the family knows nothing of."""
    allowed, index = takes.get("pipelines", ()), read(checkpoint / _INDEX)
    if not index:
        main = (checkpoint / CONFIG).is_file() or "" not in takes.get("networks", {})
        if (allowed and "" not in allowed) or not main:
            lacking = f" and no {_INDEX}" if allowed and (checkpoint / CONFIG).is_file() else ""
            raise _Another(f"it holds {_described(checkpoint)}{lacking}")
        return
    if (allowed and index.get("_class_name") not in (None, *allowed)) or not (
        allowed or (checkpoint / CONFIG).is_file()
    ):
        raise _Another(f"it holds {_described(checkpoint)}")
    known = {name for key in ("networks", "parts", "optional") for name in takes.get(key, ())}
    if unknown := allowed and sorted(set(_parts(index)) - known):
        raise _Another(f"its {index.get('_class_name') or 'pipeline'} has a {unknown[0]}")


def _settings(checkpoint: Path, name: str, wanted: Stated) -> None:
    """What the JSON of one of its folders says."""
    where, file = f"its {name}" if name else "it", about(checkpoint, name)
    if file is None:
        if name:
            raise _Another(f"{where} has no {CONFIG}")
        return
    said = read(file)
    nothing = dict.fromkeys(wanted.get("null", ()), (None,))
    for key, allowed in ({key: value for key, value in wanted.items() if key != "null"} | nothing).items():
        given = said.get(key)
        if key in ("_class_name", "family") and key not in said:
            raise _Another(f"it holds {_named(said)}")
        if isinstance(allowed, str):
            *part, of = allowed.split(".")
            path = about(checkpoint, part[0]) if part else file
            other = read(path).get(of) if path else None
            if type(given) is int and type(other) is int and given != other:
                raise _Another(f"{where} says {key}: {given} beside {allowed}: {other}")
        elif allowed is ... and given is None:
            raise Unusable(f"{where} says no {key} in its {file.name}", f"set {key} there")
        elif allowed is not ... and key in said and not _among(given, allowed):
            raise _Another(
                f"{where} is {_a(given)}" if key == "_class_name" else f"{where} says {key}: {_shown(given)}"
            )


def _among(given: Any, allowed: tuple[Any, ...]) -> bool:
    known = [libraries.schedulers(value) if isinstance(value, str) else {value} for value in allowed]
    return not all(known) or not isinstance(given, str | int | None) or any(given in values for values in known)


def _task(config: Stated, groups: tuple[tuple[str, ...], ...], trusted: bool) -> None:
    """A model of transformers has a class for a group of tasks, and is saved as one of these."""
    tasks = {task: libraries.classes(task) for group in groups for task in group}
    kind = str(config.get("model_type") or "")
    if not config or not all(tasks.values()):
        return  # nothing is known of it, or of transformers
    group = next((group for group in groups if all(kind in tasks[task] for task in group)), None)
    if group is None:
        if config.get("auto_map") and not trusted:
            raise Unusable("it brings code of its own", "set trust_remote_code: true if you trust it, or name another")
        if not config.get("auto_map") and (kind or "_class_name" in config or "family" in config):
            raise _Another(f"it holds {_named(config)}")
        return
    own = {name for task in group for name in tasks[task][kind]}
    turned = {name for task in ("CAUSAL_LM", "MASKED_LM") for name in libraries.classes(task).get(kind, ())}
    if bool(config.get("is_decoder")) == ("MASKED_LM" not in group):
        own |= turned  # the same network, and which way it reads is said apart
    others = {name for task in _TASKS for name in libraries.classes(task).get(kind, ())} - own
    if another := [name for name in _architectures(config) if name in others]:
        raise _Another(f"it holds {_a(another[0])}")


# Saying ---------------------------------------------------------------------------------------------------------------


def about(checkpoint: Path, name: str) -> Path | None:
    """The JSON that says what a part is."""
    part = folder(checkpoint, name)
    names = (f"{name}_config.json", CONFIG) if name else (CONFIG,)
    return next((part / file for file in names if (part / file).is_file()), None)


def _parts(index: Stated) -> list[str]:
    """The parts of a pipeline that are there."""
    return [name for name, value in index.items() if isinstance(value, list) and any(value)]


def _described(checkpoint: Path) -> str:
    if index := read(checkpoint / _INDEX):
        parts = f" of {', '.join(_parts(index))}" if _parts(index) else ""
        return f"{_a(index.get('_class_name') or 'pipeline of no class')}{parts}"
    if (checkpoint / CONFIG).is_file():
        return _named(read(checkpoint / CONFIG))
    return f"neither a {CONFIG} nor a {_INDEX}"


def _named(config: Stated) -> str:
    names = (config.get("_class_name"), *_architectures(config), config.get("model_type"))
    kind = next((name for name in names if name), None)
    return _a(kind) if kind else f"a model of family {config['family']}" if "family" in config else "a model of no type"


def _architectures(config: Stated) -> list[str]:
    """The classes that a model of transformers was saved as."""
    named = config.get("architectures")
    return [name for name in named if isinstance(name, str)] if isinstance(named, list) else []


def _a(noun: Any) -> str:
    """With its article, in one line."""
    noun = " ".join(noun.split())[:80] if isinstance(noun, str) else _shown(noun)
    vowel = noun[:1] in "AEIOaeio" or noun[:2] in ("LD", "SD", "XL", "MP", "FS")  # letters that are spelt
    return f"a{'n' * vowel} {noun}"


def _shown(value: Any) -> str:
    return json.dumps(value)[:80]


def _instead(checkpoint: Path, family: str) -> str:
    """Which of its folders the family takes, or which family it; else to name another."""
    inside = sorted(path.parent for path in checkpoint.glob(f"*/{CONFIG}"))
    if found := next((path.name for path in inside if _takes(family, path)), ""):
        return f"name its folder {found}, or another checkpoint"
    takers = [other for other in plugins.names("families") if other != family and _takes(other, checkpoint)]
    return f"name another, or take family {' or '.join(takers)}" if takers else "name another"


def _takes(family: str, checkpoint: Path) -> bool:
    """Whether a checkpoint is for certain of a family's kind."""
    try:
        wanted = stated(family)
        file, key = (_INDEX, "_class_name") if "pipelines" in wanted else (CONFIG, "model_type")
        asked = "pipelines" in wanted or "tasks" in wanted  # else the one network says its class
        if not wanted or (asked and key not in read(checkpoint / file)):
            return False
        _compare(checkpoint, wanted, trusted=False)
    except (Unusable, _Another, BenchError):
        return False
    return True
