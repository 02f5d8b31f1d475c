"""Runs on simulated domains from before these had a polarity are found again under their keys."""

import hashlib

from msadg.corpora.simulated import SimulatedB
from msadg.protocols.features import _clips_digest


def test_the_digest_of_a_simulated_domain_knows_no_polarity():
    digest = hashlib.sha256()
    for u in SimulatedB().all_utterances():
        digest.update(repr((u.clip_id, u.video_id, u.split, u.sentiment, None)).encode())
    assert _clips_digest("simulated-b", "round", None, True) == digest.hexdigest()
