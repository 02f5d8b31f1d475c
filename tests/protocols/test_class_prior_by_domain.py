"""Each source's class shares are kept out of its own logits, also where a source is left out, and in wrappers."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from msadg.methods.build import MethodSpec
from msadg.protocols import fit
from msadg.protocols.domains import split_domains
from msadg.protocols.run import train_run
from tests.methods.helpers import tiny_batch
from tests.protocols.helpers import toy_experiment

COUNTS = {"a": (16, 12, 20), "b": (16, 8, 24), "c": (16, 16, 16)}
"""Of the classes in each source's 48 training clips."""


def make_fewer_neutral(domain: str, number: int) -> None:
    """Turn so many neutral training clips of a toy domain into positive ones."""
    path = Path(domain.partition("=")[2])
    header, *rows = path.read_text().splitlines()
    neutral = [at for at, row in enumerate(rows) if row.split(",")[-1] == "train" and "neutral" in row]
    for at in neutral[:number]:
        rows[at] = rows[at].replace("neutral", "positive")
    path.write_text("\n".join([header, *rows]) + "\n")


@pytest.mark.parametrize("added", [{}, {"mask": {"sparsity_weight": 0.0}, "variation": {}}])
def test_every_training_of_leave_one_source_out_has_the_shares_of_its_own_sources(tmp_path, monkeypatch, added):
    met = []

    class Noting(fit.Trainer):
        def run(self):
            rows = {
                name: self.method.prior_of(replace(tiny_batch((1,)), domain=torch.tensor([index])))[0]
                for index, name in enumerate("abc")
                if name in self.train_clips.domain.split("+")
            }
            inner = [module.log_prior for module in self.method.modules() if hasattr(module, "log_prior")]
            assert all(torch.equal(prior, self.method.log_prior) for prior in inner)
            met.append(rows)
            return super().run()

    monkeypatch.setattr(fit, "Trainer", Noting)
    training = {"epochs": 1, "class_prior": "uniform_by_domain", "averaging": "ema"}
    toy = toy_experiment(tmp_path / "data", "erm", training=training, selection="leave_one_source_out")
    domains = split_domains([*toy.domains.source_domains, *toy.domains.target_domains], [])
    for domain, (name, counts) in zip(domains.source_domains, COUNTS.items(), strict=True):
        assert domain.startswith(f"{name}=")
        make_fewer_neutral(domain, 16 - counts[1])
    spec = MethodSpec(name="erm", settings={"dim": 8, "heads": 2}, **added)
    assert train_run(replace(toy, domains=domains, method=spec), tmp_path / "run").state.finished
    assert [set(rows) for rows in met] == [{"b", "c"}, {"a", "c"}, {"a", "b"}, {"a", "b", "c"}]
    for rows in met:
        for name, row in rows.items():
            assert_close(row, torch.tensor([math.log(count / 48) for count in COUNTS[name]]))


SHARES = {"clips": (32 / 84, 32 / 84, 20 / 84), "domains": (7 / 18, 7 / 18, 4 / 18)}
"""Of the 48 clips of a, 16 of each class, and the 36 of b, which has lost 12 positive ones."""


@pytest.mark.short_runs
@pytest.mark.parametrize(
    ("method", "is_balanced", "shares"), [("erm", False, "clips"), ("erm", True, "domains"), ("vrex", False, "domains")]
)
def test_the_shares_left_out_are_those_that_the_loss_meets(tmp_path, monkeypatch, method, is_balanced, shares):
    seen = []

    class Noting(fit.Trainer):
        def run(self):
            seen.append(self.method.log_prior.exp())
            return super().run()

    monkeypatch.setattr(fit, "Trainer", Noting)
    training = {"epochs": 1, "class_prior": "uniform", "balanced_domains": is_balanced}
    toy = toy_experiment(tmp_path / "data", method, training=training)
    path = Path(toy.domains.source_domains[1].partition("=")[2])
    header, *rows = path.read_text().splitlines()
    positive = [row for row in rows if row.split(",")[-1] == "train" and "positive" in row]
    path.write_text("\n".join([header, *(row for row in rows if row not in positive[:12])]) + "\n")
    train_run(toy, tmp_path / "run")
    assert_close(seen[0], torch.tensor(SHARES[shares]))
