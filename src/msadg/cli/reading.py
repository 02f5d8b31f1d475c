"""Modalities that a user names are read: what `msadg train --video hog` means for a method that reads text alone."""

from __future__ import annotations

import argparse
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
    changes = []
    for method, settings in methods.items():
        if "order" in settings:
            key, read = f"methods.{method}.order", settings["order"].replace("&", ">").split(">")
            more = [modality for modality in named_modalities(arguments) if modality not in read]
            changes.append(f'{key}="{">".join([settings["order"], *more])}"')
        elif "modalities" in settings:
            key, read = f"methods.{method}.modalities", list(settings["modalities"])
            more = [modality for modality in named_modalities(arguments) if modality not in read]
            changes.append(f"{key}={[*read, *more]!r}")
        else:
            continue
        if not more or any(change.split("=")[0].strip() == key for change in arguments.set):
            changes.pop()
    return changes
