"""Valid steps to the front and back again."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from msadg.nn.valid_front import ValidFront

masks = st.integers(1, 6).flatmap(
    lambda time: st.lists(st.lists(st.booleans(), min_size=time, max_size=time), min_size=1, max_size=4)
)


@given(masks)
def test_gathered_are_the_valid_steps_in_their_order_and_scattered_they_are_back(rows):
    valid = torch.tensor(rows)
    values = torch.arange(1.0, valid.numel() * 2 + 1).reshape(*valid.shape, 2)
    front = ValidFront(valid)
    gathered = front.gather(values)
    assert gathered.shape[1] == max(int(valid.sum(1).max()), 1)
    for clip, here, count in zip(range(len(rows)), gathered, front.count[:, 0], strict=True):
        assert_close(here[:count], values[clip][valid[clip]])
    assert_close(front.scatter(gathered), values * valid[..., None])
