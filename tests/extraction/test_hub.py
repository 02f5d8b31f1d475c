"""Files of the hub where it cannot be reached."""

from __future__ import annotations

import logging
import socket
import time

import pytest

from msadg.errors import FeatureError
from msadg.extraction import hub
from msadg.extraction.catalog import chosen_video
from msadg.extraction.faces import yunet
from msadg.extraction.pretrained import SPEECH, identity_of
from msadg.extraction.video.vggface2 import HUB_FILES, find_weights


@pytest.fixture
def without_network(monkeypatch, tmp_path):
    """No cache, no proxy, and no name has an address; who still asks the hub for a file fails."""
    import huggingface_hub.constants

    def find_nothing(host, port, *_, **__):
        assert host == "hub.example"
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "https://hub.example")
    monkeypatch.setattr(hub.urllib.request, "getproxies", lambda: {"no": "localhost"})
    monkeypatch.setattr(socket, "getaddrinfo", find_nothing)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: find_weights("py-feat/facenet"),
        yunet.hub_file,
        lambda: identity_of("org/never-published", None),
        lambda: identity_of("org/never-published", None, SPEECH),
    ],
)
def test_a_host_without_an_address_is_told_at_once(without_network, ask):
    before = time.monotonic()
    with pytest.raises(FeatureError, match=r"there is no network: hub\.example cannot be found"):
        ask()
    assert time.monotonic() - before < 4


def test_nothing_is_looked_up_behind_a_proxy_or_offline(without_network, monkeypatch):
    import huggingface_hub.constants

    with pytest.raises(ConnectionError), hub.asking_the_hub():
        pass
    with monkeypatch.context() as patched:
        patched.setattr(hub.urllib.request, "getproxies", lambda: {"https": "http://proxy:3128"})
        with hub.asking_the_hub():
            pass
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with hub.asking_the_hub():
        pass


def test_a_lookup_that_does_not_end_is_given_up(without_network, monkeypatch):
    monkeypatch.setattr(hub, "LOOKUP_SECONDS", 0.05)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: time.sleep(1))
    with pytest.raises(ConnectionError), hub.asking_the_hub():
        pass


def test_retries_are_not_told_and_other_notices_are(without_network, monkeypatch, caplog):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [])
    logger = logging.getLogger("huggingface_hub.utils._http")
    monkeypatch.setattr(logging.getLogger("huggingface_hub"), "propagate", True)
    with hub.asking_the_hub():
        logger.warning("'timed out' thrown while requesting HEAD https://hub.example/x")
        logger.warning("Retrying in 1s [Retry 1/5].")
        logger.warning("this repository moved")
    logger.warning("Retrying in 2s [Retry 2/5].")
    assert [record.getMessage() for record in caplog.records] == [
        "this repository moved",
        "Retrying in 2s [Retry 2/5].",
    ]


def test_auto_is_vggface2_where_its_weights_are_and_hog_elsewhere(without_network, tmp_path):
    assert [chosen_video(text) for text in ("auto", "auto:rate=10", "hog:rate=2", "auto:weights=w.pt")] == [
        "hog",
        "hog:rate=10",
        "hog:rate=2",
        "vggface2:weights=w.pt",
    ]
    ((repository, file),) = HUB_FILES.items()
    folder = tmp_path / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("0" * 40)
    (folder / "snapshots" / ("0" * 40)).mkdir(parents=True)
    (folder / "snapshots" / ("0" * 40) / file).touch()
    assert chosen_video("auto:rate=10") == "vggface2:rate=10"
