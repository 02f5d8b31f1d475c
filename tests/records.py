"""A record and predictions in a few words."""

import numpy as np

from msadg.results.predictions import Predictions
from msadg.results.record import Record


def record_of(
    row="erm", seed=0, *, setting="single-A", sources=("mosei",), targets=("mosi", "meld"), **change
) -> Record:
    return Record(
        **{
            "key": f"{row}-{setting}-{'+'.join(sources)}-{seed}",
            "row": row,
            "method": row.split()[0],
            "settings": {},
            "setting": setting,
            "source_domains": tuple(sources),
            "target_domains": tuple(targets),
            "selection": "dev",
            "seed": seed,
            "revision": "r",
            "features": {},
            "finished_at": "2025-01-01T00:00:00+00:00",
        }
        | change
    )


def predictions_of(predicted, sentiment, video, domain="mosi", clip_id=None) -> Predictions:
    n = len(sentiment)
    return Predictions(
        clip_id=np.array(clip_id if clip_id is not None else [f"{domain}/test/{i:04d}" for i in range(n)]),
        video_id=np.array([str(v) for v in video]),
        domain=np.full(n, domain),
        sentiment=np.asarray(sentiment),
        polarity=np.full(n, np.nan),
        probabilities=np.eye(3)[np.asarray(predicted)] * 0.7 + 0.1,
    )
