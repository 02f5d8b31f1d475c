import numpy as np

from msadg.extraction.faces.tracking import NO_TRACK, Tracker, link_tracks

ROOM = np.full((90, 160, 3), 60, np.uint8)
STREET = np.full((90, 160, 3), 200, np.uint8)


def box(x, y=40, size=20):
    """A square box around a point."""
    return [x - size / 2, y - size / 2, x + size / 2, y + size / 2]


def track(*frames, views=None):
    """The tracks of each frame's boxes, and the tracker."""
    tracker = Tracker()
    views = views or [ROOM] * len(frames)
    return [
        tracker.update(np.array(boxes, float).reshape(-1, 4), view).tolist()
        for boxes, view in zip(frames, views, strict=True)
    ], tracker


def test_faces_are_numbered_in_order_of_appearance_from_the_left():
    tracks, _ = track([box(100), box(30)], [box(31), box(102), box(65)])
    assert tracks == [[1, 0], [0, 1, 2]]


def test_two_faces_that_cross_keep_their_numbers():
    to_right, to_left = (20, 34, 48, 62, 76, 90, 104), (100, 86, 72, 58, 44, 30, 16)
    tracks, _ = track(*[[box(a, 40), box(b, 48)] for a, b in zip(to_right, to_left, strict=True)])
    assert tracks == [[0, 1]] * 7


def test_someone_who_walks_by_faster_than_a_face_a_frame_is_one_track():
    tracks, _ = track(*[[box(x)] for x in (20, 52, 84, 116, 148)])
    assert tracks == [[0]] * 5


def test_a_track_survives_three_frames_unseen_and_not_four():
    tracks, _ = track([box(50)], [box(50)], [], [], [], [box(52)], [], [], [], [], [box(52)])
    assert tracks == [[0], [0], [], [], [], [0], [], [], [], [], [1]]


def test_a_face_that_vanishes_does_not_hand_its_number_to_a_neighbour_s():
    tracks, _ = track([box(50), box(80)], [box(20), box(50)])
    assert tracks == [[0, 1], [2, 0]]


def test_a_face_of_twice_the_size_at_the_same_place_is_another():
    tracks, _ = track([box(50)], [box(50)], [box(50, size=40)])
    assert tracks == [[0], [0], [1]]


def test_a_cut_begins_a_new_track_even_at_the_same_place():
    tracks, _ = track([box(50)], [box(50)], [box(50)], views=[ROOM, ROOM, STREET])
    assert tracks == [[0], [0], [1]]


def test_a_jump_cut_is_linked():
    # 30 pixels at 1.5 face sizes from where the track was expected: too far to follow, then back in place.
    tracks, tracker = track([box(50)], [box(50)], [box(68)], [box(68)])
    assert tracks == [[0], [0], [1], [1]]
    assert link_tracks(tracker.spans).tolist() == [0, 0]


def test_a_dialogue_filmed_from_two_sides_is_two_people():
    views = [ROOM, ROOM, STREET, STREET, ROOM, STREET]
    tracks, tracker = track(*[[box(50)]] * 6, views=views)
    assert [t for (t,) in tracks] == [0, 0, 1, 1, 2, 3]
    assert link_tracks(tracker.spans).tolist() == [0, 1, 0, 1]


def test_tracks_that_overlap_in_time_are_two_people():
    _, tracker = track([box(50), box(75)], [box(50), box(75)], [box(50)])
    assert link_tracks(tracker.spans).tolist() == [0, 1]


def test_faces_elsewhere_or_of_another_size_are_not_linked():
    _, tracker = track([box(50)], *[[]] * 5, [box(90)], *[[]] * 5, [box(50, size=40)], *[[]] * 5, [box(51)])
    assert link_tracks(tracker.spans).tolist() == [0, 1, 2, 0]


def test_a_frame_without_faces_has_no_tracks():
    tracks, tracker = track([], [box(10)])
    assert (tracks, len(tracker.spans), NO_TRACK) == ([[], [0]], 1, -1)
