"""Simulated video is one and the same whatever is read of the text encoder that it rides on."""

import pytest

from msadg.protocols.features import DataConfig
from msadg.protocols.stores import prepare_stores
from msadg.store.reader import Store
from tests.protocols.helpers import tiny_encoder, toy_domain


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return str(tiny_encoder(tmp_path_factory.mktemp("models") / "tiny"))


def test_frozen_and_trained_text_and_layers_share_one_store_of_video_whichever_comes_first(tmp_path, encoder):
    domain = toy_domain(tmp_path, "a")
    texts = (encoder, f"{encoder}-tokens", f"{encoder}:layer=1")
    frozen, trained, layer = ({"text": text, "video": "simulated"} for text in texts)
    clips = [f"a/test/c{i}" for i in (66, 70, 89)]
    found = []
    for order in ((frozen, trained, layer), (trained, frozen), (layer, trained)):
        stores = tmp_path / f"stores-{len(found)}"
        for features in order:  # The second would be refused if it made other features.
            prepare_stores(DataConfig(features=features, stores=stores), [domain])
        (folder,) = {path.parent for path in stores.rglob("manifest.json") if "video" in path.parent.name}
        store = Store(folder)
        assert store.manifest.settings["text_evidence"].startswith("real text, text-tiny, ")
        some = [clip_id for clip_id in store.clip_ids if clip_id.endswith(("c66", "c70", "c89"))]
        assert len(some) == len(clips)
        found.append((store.inputs_sha256, [store.features(clip_id).values.tolist() for clip_id in some]))
    assert found[0] == found[1] == found[2]
