"""Modalities that a user names are read: what `msadg train --video hog` means for a method that reads text alone."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from typing import Any


def named_modalities(arguments: argparse.Namespace) -> list[str]:
    """The modalities whose extractor the command line names."""
    from msadg.types import MODALITIES

    return [modality for modality in MODALITIES if getattr(arguments, modality, None)]


def reading_changes(methods: Mapping[str, Mapping[str, Any]], arguments: argparse.Namespace) -> list[str]:
    """Changes to a recipe's methods by which each of them reads every modality that the command line names.

    An order grows at its end ("text" becomes "text>audio>video"), a list of modalities likewise. What ``--set`` says
    of a method's order or modalities stays.
    """
    said = {change.partition("=")[0].strip() for change in arguments.set}
    changes = []
    for method, settings in methods.items():
        field = "order" if "order" in settings else "modalities"
        read = re.split("[>&]", settings["order"]) if "order" in settings else settings.get("modalities", ())
        more = [modality for modality in named_modalities(arguments) if read and modality not in read]
        if more and f"methods.{method}.{field}" not in said:
            value = ">".join([settings["order"], *more]) if field == "order" else [*read, *more]
            changes.append(f"methods.{method}.{field}={value!r}")
    return changes
