import logging

import pytest


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory):
    """Folder of a tiny model by type; each is built once, when first asked for."""
    from tests.extraction.zero_shot.tiny import saved

    root = tmp_path_factory.mktemp("models")
    logging.getLogger("transformers").setLevel(logging.ERROR)

    def folder_of(kind: str):
        return root / kind if (root / kind).exists() else saved(kind, root / kind)

    return folder_of
