"""What tells versions of the code behind a cell apart. Runs no plugin's code."""

from bench import plugins
from bench.plugins import Plugin
from bench.suite.cell import ModelChoice


def versions(model: ModelChoice, parts: list[Plugin]) -> dict[str, str]:
    """:attr:`bench.suite.cell.Cell.code` of a model, its source where a recipe names one, and all other plugins.

    The hash of a plugin's source; of ours the generation it states, where it does, and a family's of checkpoints.
    """
    family = plugins.find("families", model.family)
    source = [plugins.find("datasets", model.recipe.source.plugin)] if model.recipe else []
    found = {part.name: code for part in (family, *source, *parts) if (code := _version(part))}
    stated = family.constants.get("CHECKPOINT_GENERATION") if model.checkpoint else None
    return found | ({} if stated is None else {family.name: f"generation {stated}"})


def _version(plugin: Plugin) -> str:
    if plugin.module.startswith("bench."):
        return str(plugin.constants.get("GENERATION", ""))
    return plugin.version()
