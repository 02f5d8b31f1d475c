"""The makers of the pages lie outside the package."""

import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
sys.path[:0] = [str(REPOSITORY / "docs" / "site"), str(REPOSITORY / "docs" / "examples")]


@pytest.fixture(autouse=True)
def _only_in_a_checkout():
    if not (REPOSITORY / "docs" / "site").is_dir():
        pytest.skip("needs docs/, which a source distribution leaves out: run in a checkout of the repository")


@pytest.fixture(scope="session")
def docs() -> Path:
    return REPOSITORY / "docs"


@pytest.fixture(scope="session")
def generated(docs) -> dict[str, str]:
    """Every generated page, by its path below docs/generated; nothing is written."""
    from pages import all_pages

    return dict(all_pages(docs))
