"""How every command takes its recipe."""

from __future__ import annotations

import argparse


def add_recipe(command: argparse.ArgumentParser) -> None:
    """The recipe and the settings that replace some of its own."""
    command.add_argument("recipe", help="a YAML file, or the name of one in training/recipes")
    command.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="change one setting; may be repeated"
    )
