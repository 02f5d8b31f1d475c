import torch

from msadg.nn.front import at_front, windows


def flags(*rows: str) -> torch.Tensor:
    return torch.tensor([[mark == "1" for mark in row] for row in rows])


def test_valid_steps_come_first_and_in_their_order():
    values = torch.arange(10.0).view(2, 5, 1)
    moved, valid = at_front(values, flags("01011", "10000"))
    assert moved[0, :, 0].tolist() == [1, 3, 4]
    assert moved[1, 0, 0] == 5
    assert torch.equal(valid, flags("111", "100"))


def test_padding_of_all_clips_is_cut_off_and_a_batch_without_steps_keeps_one():
    values = torch.ones(2, 5, 1)
    assert at_front(values, flags("11000", "11100"))[1].shape == (2, 3)
    assert at_front(values, flags("00000", "00000"))[1].shape == (2, 1)


def test_a_window_counts_where_all_its_steps_are_valid():
    assert torch.equal(windows(flags("11110", "11000", "00000"), 3), flags("110", "100", "000"))
    assert torch.equal(windows(flags("11", "00"), 3), flags("1", "0"))
    assert torch.equal(windows(flags("101"), 1), flags("101"))
