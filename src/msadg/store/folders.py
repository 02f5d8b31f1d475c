"""Where a store lies among the others."""

from __future__ import annotations

from pathlib import Path


def store_path(root: Path, domain: str, extractor_name: str) -> Path:
    """Return the folder of the features that one extractor makes of one domain.

    Example:
        >>> store_path(Path("stores"), "mosi", "text-minilm").as_posix()
        'stores/mosi/text-minilm'
    """
    return root / domain / extractor_name
