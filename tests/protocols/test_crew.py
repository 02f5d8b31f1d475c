"""Several processes train as one does: for every method, with unequal and empty shares. Here threads stand for them."""

import copy
import dataclasses
from collections.abc import Callable
from dataclasses import replace
from threading import Barrier, Thread
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from msadg.methods import METHODS, load_method
from msadg.methods.build import MethodSpec, build_method
from msadg.methods.method import ClosedForm, Method, Phase
from msadg.methods.task import Task
from msadg.protocols.crew import Crew
from msadg.types import Batch, Steps
from tests.methods.helpers import SETTINGS, tiny_batch, tiny_method
from tests.methods.test_finetuned import WIDTH, tiny_encoder, token_batch

BY_GRADIENT = [name for name in sorted(METHODS) if not issubclass(load_method(name), ClosedForm)]
VARIANTS = [(name, None, None) for name in BY_GRADIENT]
VARIANTS += [("erm", {}, None), ("mult", {}, {"weight": 0.5, "modalities": ("text", "video")})]


class Table:
    """Where threads lay down what each has, and read what all have."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.barrier = Barrier(size, timeout=20)
        self.laid: list[Any] = [None] * size


class AtTable:
    """What a crew needs of Fabric, for one thread."""

    def __init__(self, table: Table, rank: int) -> None:
        self.table, self.global_rank, self.world_size = table, rank, table.size

    def _all(self, own: Any) -> list[Any]:
        self.table.laid[self.global_rank] = own
        self.table.barrier.wait()
        found = list(self.table.laid)
        self.table.barrier.wait()
        return found

    def all_reduce(self, data: Tensor, group: Any = None, reduce_op: str = "mean") -> Tensor:
        found = self._all(data.clone())
        assert len({(part.shape, part.dtype) for part in found}) == 1
        total = torch.stack(found).sum(dim=0)
        return total if reduce_op == "sum" else total / self.world_size

    def broadcast(self, obj: Any, src: int = 0) -> Any:
        return self._all(obj)[src]


def together(size: int, work: Callable[[Crew], Any]) -> list[Any]:
    """What comes of the work of each of so many."""
    table, found = Table(size), [None] * size

    def one(rank: int) -> None:
        try:
            found[rank] = work(Crew(AtTable(table, rank)))
        except BaseException as error:
            table.barrier.abort()
            found[rank] = error

    threads = [Thread(target=one, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for outcome in found:
        if isinstance(outcome, BaseException):
            raise outcome
    return found


def without_chance(name: str, mask: dict | None, sv: dict | None) -> Method:
    """A method in training that drops nothing, in double precision."""
    rates = {f.name: 0.0 for f in dataclasses.fields(load_method(name).Config) if "dropout" in f.name}
    return tiny_method(name, mask=mask, sv=sv, **rates).double().train()


def step_of(method: Method, batch: Batch, crew: Crew | None = None, phase: Phase | None = None) -> tuple[dict, dict]:
    """Terms and gradients of one step, of one phase where a method has several."""
    phase = phase or Phase()
    for name, parameter in method.named_parameters():
        parameter.requires_grad_(name.startswith(phase.parameters))
    prediction = method(batch) if crew is None else crew.predict(method, batch)
    terms = method.loss(prediction, batch)
    terms = {name: term for name, term in terms.items() if phase.terms is None or name in phase.terms}
    method.zero_grad(set_to_none=True)
    torch.stack(list(terms.values())).sum().backward()
    if crew:
        crew.average_gradients(method.parameters())
    method.after_step()
    return {k: v.detach() for k, v in terms.items()}, {n: p.grad for n, p in method.named_parameters()}


@pytest.fixture
def batch() -> Batch:
    batch = tiny_batch(lengths=(5, 3, 4, 2, 1, 5, 2))
    steps = {m: Steps(s.values.double(), s.valid) for m, s in batch.steps.items()}
    steps["video"].valid[2] = False  # a clip without video
    return replace(batch, steps=steps, domain=torch.tensor([0, 0, 1, 1, 0, 1, 0]))


@pytest.fixture(autouse=True)
def keyframes_without_noise(monkeypatch):
    def chosen(logits: Tensor, tau: float, hard: bool) -> Tensor:
        soft = (logits / tau).softmax(dim=-1)
        return torch.nn.functional.one_hot(soft.argmax(dim=-1), 2) + soft - soft.detach()

    monkeypatch.setattr("msadg.nn.keyframes.F.gumbel_softmax", chosen)


@pytest.mark.parametrize("size", [2, 8])  # of 7 clips: 3 and 4, and an empty share
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: v[0] + "+mask" * (v[1] is not None) + "+sv" * bool(v[2]))
def test_losses_gradients_and_buffers_are_those_of_one_device(variant: tuple, size: int, batch: Batch):
    alone = without_chance(*variant)
    methods = [copy.deepcopy(alone) for _ in range(size)]
    expected = [step_of(alone, batch) for _ in range(2)]  # the second meets what the first left in the buffers
    found = together(size, lambda crew: [step_of(methods[crew.rank], batch, crew) for _ in range(2)])
    for steps in found:
        assert_close(steps, expected, rtol=1e-9, atol=1e-11)
    for method in methods:
        assert_close(dict(method.named_buffers()), dict(alone.named_buffers()), rtol=1e-9, atol=1e-11)


PENALTIES = {"moment_weight": 0.5, "risk_variance_weight": 2.0}


@pytest.mark.parametrize("stage", [0, 1])
def test_a_stage_that_is_trained_by_itself_is_that_of_one_device(stage: int, batch: Batch):
    settings = {**SETTINGS["s2lif_plus"], "dropout": 0.0, "schedule": "staged", **PENALTIES}
    alone = tiny_method("s2lif_plus", **settings).double().train()
    phase = alone.phases()[stage]
    methods = [copy.deepcopy(alone) for _ in range(2)]
    expected = step_of(alone, batch, phase=phase)
    assert {gradient is None for gradient in expected[1].values()} == {True, False}
    for found in together(2, lambda crew: step_of(methods[crew.rank], batch, crew, phase)):
        assert_close(found, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", ["erm", "s2lif_plus", "vrex"])
def test_errors_of_polarity_are_those_of_one_device(name: str, batch: Batch):
    alone = tiny_method(name, task=Task(kind="regression"), dropout=0.0).double().train()
    methods = [copy.deepcopy(alone) for _ in range(2)]
    expected = step_of(alone, batch)
    for found in together(2, lambda crew: step_of(methods[crew.rank], batch, crew)):
        assert_close(found, expected, rtol=1e-9, atol=1e-11)


def test_a_trained_encoder_with_a_mask_and_variation_learns_as_on_one_device():
    batch = replace(token_batch(), domain=torch.tensor([0, 1, 1, 0]))
    encoder = tiny_encoder()
    encoder.config.hidden_dropout_prob = encoder.config.attention_probs_dropout_prob = 0.0
    encoder = type(encoder)(encoder.config, add_pooling_layer=False)
    settings = {"dim": 8, "heads": 2, "dropout": 0.0}
    spec = MethodSpec(name="erm", settings=settings, mask={}, variation={}, finetune={})
    alone = build_method(spec, {"text": WIDTH, "video": 5}, 0, encoder=encoder).train()
    alone.leave_out_prior(torch.tensor([0, 0, 1, 2, 2]), torch.tensor([0, 0, 0, 1, 1]))
    methods = [copy.deepcopy(alone) for _ in range(3)]
    expected = step_of(alone, batch)
    assert {"task", "sparsity_text", "variation_video"} <= expected[0].keys()
    for found in together(3, lambda crew: step_of(methods[crew.rank], batch, crew)):
        # The encoder's states are in single precision.
        assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_a_parameter_that_no_share_reaches_keeps_no_gradient():
    def work(crew: Crew) -> list[Tensor | None]:
        reached, other, frozen = (torch.nn.Parameter(torch.zeros(2)) for _ in range(3))
        frozen.requires_grad_(False)
        if crew.rank == 1:
            reached.grad = torch.tensor([2.0, 4.0])
        crew.average_gradients([reached, other, frozen])
        return [reached.grad, other.grad, frozen.grad]

    for reached, other, frozen in together(2, work):
        assert reached.tolist() == [1.0, 2.0]
        assert other is None
        assert frozen is None


def test_shares_cover_a_batch_and_differ_by_one_at_most():
    for num_clips in (1, 5, 16, 17):
        shares = together(3, lambda crew, n=num_clips: crew.share_of(n))
        assert [clip for share in shares for clip in range(num_clips)[share]] == list(range(num_clips))
        sizes = [share.stop - share.start for share in shares]
        assert max(sizes) - min(sizes) <= 1


def test_the_first_s_buffers_are_everyone_s():
    def work(crew: Crew) -> Tensor:
        method = tiny_method("groupdro")
        method.log_weights = torch.full((2 + crew.rank,), float(crew.rank), dtype=torch.float64)
        crew.agree(method)
        return method.log_weights

    assert [weights.tolist() for weights in together(2, work)] == [[0.0, 0.0]] * 2
