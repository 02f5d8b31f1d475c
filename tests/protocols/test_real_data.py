"""The main job on real text: needs the research corpora and the offline encoder."""

import pytest

from msadg.protocols.domains import split_domains
from msadg.protocols.features import DataConfig
from msadg.protocols.recipe import load_recipe
from msadg.protocols.run import train_run
from msadg.protocols.score import score_run
from msadg.protocols.stores import prepare_stores


@pytest.mark.data
@pytest.mark.slow
def test_a_linear_classifier_from_mosi_scores_on_mosi_as_measured_elsewhere(research_data, offline_encoder, tmp_path):
    """Accuracy .679 here; about .67 with a plain logistic regression on the same encoder's mean-pooled features."""
    recipe = load_recipe("quick", [f'data.stores="{tmp_path}/stores"', f"data.features.text={offline_encoder}"])
    experiment = recipe.experiment("linear", split_domains(["mosi"], []), seed=0)
    assert isinstance(experiment.data, DataConfig)
    prepare_stores(experiment.data, ["mosi"])
    record, predictions = score_run(train_run(experiment, tmp_path / "run"))
    assert len(predictions) == 686
    assert record.metrics["mosi"]["accuracy"] == pytest.approx(0.679, abs=0.02)
