"""A study: one recipe, and what each system changes in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import yaml

from training.errors import TrainingError
from training.recipe import Recipe, apply_override, parse_recipe
from training.section import Section


class System(Section, frozen=True):
    """One of the systems that are compared."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    description: str
    """For the report: what it is, and by which paper."""
    model: dict[str, Any] = msgspec.field(default_factory=dict)
    """What differs from the common section of the recipe; all of it where there is none. The same for the others."""
    trainer: dict[str, Any] = msgspec.field(default_factory=dict)
    vocabulary: dict[str, Any] = msgspec.field(default_factory=dict)
    augmentation: dict[str, Any] = msgspec.field(default_factory=dict)


class Study(Section, frozen=True):
    """Systems that share data and budget."""

    name: str
    recipe: dict[str, Any]
    """What they have in common."""
    systems: Annotated[tuple[System, ...], msgspec.Meta(min_length=1)]

    def recipe_of(self, system: System) -> Recipe:
        """The whole recipe of a system.

        Raises:
            TrainingError: a key or value is wrong; the message names it.
        """
        sections = ("model", "trainer", "vocabulary", "augmentation")
        content = self.recipe | {name: self.recipe.get(name, {}) | getattr(system, name) for name in sections}
        return parse_recipe(content | {"name": system.name}, f"study {self.name}, system {system.name}")


def load_study(name_or_path: str, overrides: tuple[str, ...] = ()) -> Study:
    """Read a study by file path, or by name from training/studies.

    Args:
        name_or_path: a YAML file, or the name of a study that ships with the package.
        overrides: `section.key=value` texts for the common recipe.

    Raises:
        TrainingError: the file is missing, or a key or value is wrong; the message names it.
    """
    path = Path(name_or_path)
    if not path.suffix:
        path = Path(__file__).parents[1] / "studies" / f"{name_or_path}.yaml"
    try:
        study = msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), Study, strict=True)
    except FileNotFoundError:
        raise TrainingError(f"no study {name_or_path!r}: give a YAML file, or one of {_shipped()}") from None
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise TrainingError(f"{path} is not a study: {error}") from None
    names = [system.name for system in study.systems]
    if len(names) != len(set(names)):
        raise TrainingError(f"{path}: two systems have the same name")
    for override in overrides:
        apply_override(study.recipe, override)
    for system in study.systems:
        study.recipe_of(system)
    return study


def _shipped() -> str:
    return ", ".join(sorted(path.stem for path in (Path(__file__).parents[1] / "studies").glob("*.yaml")))
