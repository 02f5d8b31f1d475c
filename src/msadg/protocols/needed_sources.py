"""How many source domains a run needs: a method that compares domains has nothing to learn from one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msadg.errors import UsageError
from msadg.methods import METHODS, load_method
from msadg.protocols.domains import domain_name


def num_sources_needed(method: str, settings: Mapping[str, Any], selection: str) -> int:
    """Source domains that a method, as it is set, needs; a selection rule that leaves one out needs one more.

    Raises:
        UnknownNameError: no such method.
    """
    return load_method(method).sources_needed(settings) + (selection == "leave_one_source_out")


def has_sources_to_compare(
    method: str, settings: Mapping[str, Any], selection: str, source_domains: Sequence[str]
) -> bool:
    """Whether a method that compares source domains has enough of them; True for every other method."""
    compares = load_method(method).sources_needed(settings) > 1
    return not compares or len(source_domains) >= num_sources_needed(method, settings, selection)


def methods_that_compare() -> list[str]:
    """Names of the methods that need two source domains or more, whatever their settings."""
    return sorted(name for name in METHODS if load_method(name).min_source_domains > 1)


def check_sources_to_compare(
    method: str, settings: Mapping[str, Any], selection: str, source_domains: Sequence[str]
) -> None:
    """Stop before anything is trained where a method compares more source domains than there are.

    Raises:
        UsageError: it does.
        UnknownNameError: no such method.
    """
    if has_sources_to_compare(method, settings, selection, source_domains):
        return
    left_out = ", of which selection leave_one_source_out leaves one out" if selection == "leave_one_source_out" else ""
    needed = num_sources_needed(method, settings, selection)
    as_set = "" if load_method(method).min_source_domains > 1 else ", as it is set here,"
    raise UsageError(
        f"{method}{as_set} compares source domains and needs {needed}{left_out}, but got "
        f"{', '.join(map(domain_name, source_domains))}; name another source, or take a method that needs one alone "
        f"(all but {', '.join(methods_that_compare())})"
    )
