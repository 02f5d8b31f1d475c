"""What `msadg extract` could not do at all, kept until the rest is done."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from msadg.errors import FeatureError, StoreError


class Failures:
    """What could not be done at all of a command that goes on with the rest: a store of features, or transcripts."""

    def __init__(self) -> None:
        self._whats_of: dict[str, list[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._whats_of)

    @contextmanager
    def noted(self, what: str) -> Iterator[None]:
        """Note an error of the block that the rest of the command need not stop at, and go on."""
        try:
            yield
        except (FeatureError, StoreError) as error:
            print(f"  {what}: failed; see the end", file=sys.stderr)
            self._whats_of.setdefault(str(error), []).append(what)

    def __enter__(self) -> Failures:
        return self

    def __exit__(self, *_: object) -> None:
        """Say on standard error what failed, each reason once; also where the command was stopped."""
        for reason, whats in self._whats_of.items():
            print(f"msadg extract: not done: {', '.join(whats)}: {reason}", file=sys.stderr)
