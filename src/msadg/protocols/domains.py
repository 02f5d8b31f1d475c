"""The papers' settings by name, and any other choice of domains (METHODS 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from msadg.errors import UnknownNameError, UsageError

PAPER_DOMAINS = ("mosei", "mosi", "meld")
"""In the order of the papers' tables."""

SETTINGS = {
    "single-A": ("mosei",),
    "single-B": ("mosi",),
    "single-C": ("meld",),
    "multi-A": ("mosei", "meld"),
    "multi-B": ("mosi", "meld"),
    "multi-C": ("mosi", "mosei"),
}
"""Setting -> its source domains; every setting is scored on the test split of all three."""


@dataclass(frozen=True, slots=True)
class DomainSplit:
    """Which domains train and which are held out."""

    source_domains: tuple[str, ...]
    target_domains: tuple[str, ...]
    setting: str | None = None
    """Name of the papers' setting; None for another choice."""

    @property
    def all_domains(self) -> tuple[str, ...]:
        """Sources first."""
        return self.source_domains + self.target_domains


def paper_setting(name: str) -> DomainSplit:
    """The domains of a setting of the papers' tables.

    Raises:
        UnknownNameError: no such setting.
    """
    if name not in SETTINGS:
        raise UnknownNameError("setting", name, [*SETTINGS, "all"])
    sources = SETTINGS[name]
    return DomainSplit(sources, tuple(d for d in PAPER_DOMAINS if d not in sources), name)


def domain_name(domain: str) -> str:
    """The name of a domain given as ``name`` or ``name=manifest.csv``."""
    return domain.partition("=")[0]


def _check_distinct(domains: Sequence[str]) -> None:
    files = [domain.partition("=")[2] for domain in domains if "=" in domain]
    if len(set(map(domain_name, domains))) != len(domains) or len(set(files)) != len(files):
        raise UsageError(f"a domain was named twice, or two names have one file: {', '.join(domains)}")


def absolute(spec: str) -> str:
    """``name=path`` with the path from the root, so that a run finds its manifest again from another folder."""
    name, is_manifest, path = spec.partition("=")
    return f"{name}={Path(path).resolve()}" if is_manifest and path else spec


def split_domains(sources: Sequence[str], targets: Sequence[str]) -> DomainSplit:
    """Any choice of domains.

    Raises:
        UsageError: no source, a domain named twice, or a target that is also a source.
    """
    sources, targets = [absolute(s) for s in sources], [absolute(t) for t in targets]
    if not sources:
        raise UsageError("no source domain was named; training needs at least one (--source)")
    both = set(map(domain_name, sources)) & set(map(domain_name, targets))
    if both:
        raise UsageError(
            f"{', '.join(sorted(both))} was named as source and as target; a target is a domain that training never saw"
        )
    _check_distinct([*sources, *targets])
    named = [name for name, known in SETTINGS.items() if set(known) == set(sources)]
    is_paper = bool(named) and set(sources) | set(targets) == set(PAPER_DOMAINS)
    return paper_setting(named[0]) if is_paper else DomainSplit(tuple(sources), tuple(targets))


def leave_one_out(domains: Sequence[str]) -> list[DomainSplit]:
    """Each domain in turn as the only target, all others as sources.

    Raises:
        UsageError: fewer than two domains.
    """
    if len(domains) < 2:
        raise UsageError(f"leaving one domain out needs at least two, got {', '.join(domains) or 'none'}")
    domains = [absolute(domain) for domain in domains]
    _check_distinct(domains)
    return [DomainSplit(tuple(d for d in domains if d != held), (held,), f"to-{domain_name(held)}") for held in domains]
