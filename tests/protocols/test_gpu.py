"""What only an accelerator can show."""

import pytest
import torch

from msadg.protocols.run import train_run
from msadg.protocols.score import score_run
from tests.protocols.helpers import toy_experiment


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device; none is visible here")
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_training_on_a_gpu_learns_what_training_on_a_cpu_does(tmp_path, precision: str):
    experiment = toy_experiment(tmp_path, training={"device": "cuda", "precision": precision})
    trained = train_run(experiment, tmp_path / "run")
    record, _ = score_run(trained)
    assert record.metrics["a"]["f1_macro"] > 0.6
    assert all(value.isfinite().all() for value in trained.method.state_dict().values() if value.is_floating_point())
