"""The page as HTML: everything in it is escaped, said, in order, and asks nothing of any network."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from msadg.report.html.content import ShownCase
from msadg.report.html.page import render_page, weight_class, write_page
from msadg.report.html.sections import data_grid, run_warnings, settings_grids
from tests.report.html.pages import ATTACK, CASE, content, page_of


class Outline(HTMLParser):
    """Headings, ids, links, and every address that a browser might ask for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings: list[int] = []
        self.ids: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append((tag, found))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if "id" in found:
            self.ids.append(found["id"])

    handle_startendtag = handle_starttag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="module")
def page():
    return page_of()


@pytest.fixture(scope="module")
def outline(page):
    return Outline(page)


def test_what_a_transcript_says_comes_out_as_text(page):
    assert ATTACK not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 2  # among the words, and in the list of all numbers
    assert "<script" not in page
    assert "onerror=&#34;" in page and 'onerror="' not in page  # a clip id


def test_a_case_says_what_is_simulated_and_what_its_shares_are_for(page):
    case = replace(CASE, simulated=("video",), predicted_polarity=1.9)
    shown = render_page(replace(content(), cases=[ShownCase(case=case, frames=[], no_frames="")]))
    assert "simulated video 3" in shown and "simulated text" not in shown and "simulated video 3" not in page
    assert "the prediction (that is, the sign of its polarity), summed over the steps of each modality" in shown
    assert "the prediction, summed over the steps of each modality" in page


def test_nothing_on_the_page_is_asked_for_anywhere_else(page, outline):
    for tag, found in outline.tags:
        for name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster"):
            assert found.get(name, "#").startswith(("#", "data:")), (tag, name, found[name])
        assert tag not in ("script", "iframe", "object", "embed", "base", "form")
    assert not re.search(r"url\((?!#)", page)
    assert "@import" not in page
    addresses = set(re.findall(r"https?://[^\"' <]+", page))
    assert addresses == {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}  # names, which nobody fetches
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in page


def test_headings_are_in_order_and_ids_are_of_one_thing_each(outline):
    assert outline.headings[0] == 1
    assert outline.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(outline.headings, outline.headings[1:], strict=False))
    assert len(outline.ids) == len(set(outline.ids))
    ids = set(outline.ids)
    for _, found in outline.tags:
        for name in ("href", "xlink:href"):
            if found.get(name, "").startswith("#"):
                assert found[name][1:] in ids
        for label in found.get("aria-labelledby", "").split():
            assert label in ids


def test_figures_and_pictures_say_what_they_show(page, outline):
    pictures = [found for tag, found in outline.tags if tag == "img"]
    assert len(pictures) == 1
    assert pictures[0]["alt"] == "Frame of the clip at 0.4 s, kept by the method; share +0.250"
    drawn = [found for tag, found in outline.tags if tag == "svg"]
    assert len(drawn) == 3  # the table's, and the measurement's twice
    assert all(found["role"] == "img" and found["aria-labelledby"] for found in drawn)
    assert '<title id="t-single-source-f1_macro-title">Single-source: macro-F1, mean and worst target</title>' in page
    assert "ERM: mean target .500 (" in page
    assert outline.tags[0] == ("html", {"lang": "en"})


def test_a_page_holds_the_scores_with_their_marks(page):
    # means over two seeds of .3 and .7, t-interval 12.706 * sqrt(.08) / sqrt(2) = 2.541
    assert re.search(r"<th scope=\"row\">ERM</th><td>[^<]*</td><td><strong>.500 ± 2.541</strong></td>", page)


def test_the_same_input_gives_the_same_bytes(page, tmp_path):
    assert page_of() == page
    write_page(content(), tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page


def test_words_are_weighted_by_their_share_of_the_largest():
    assert [weight_class(share, 0.4) for share in (0.4, 0.3, 0.11, 0.1, 0.05, 0.01, 0.0)] == [
        "for-4", "for-3", "for-2", "for-1", "for-1", "", "",
    ]  # fmt: skip
    assert weight_class(-0.4, 0.4) == "against-4"
    assert weight_class(0.0, 0.0) == ""


def luminance(colour: tuple[float, ...]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    """As WCAG 2.2 defines it."""
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_contrast_itself_is_right():
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)  # #777 on white, well known


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_every_text_stands_out_from_what_is_behind_it(scheme):
    style = (files("msadg.report.html") / "style.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", style, flags=re.DOTALL)
    values = dict(re.findall(r"--([\w-]+): ([^;]+);", blocks[("light", "dark", "print").index(scheme)]))
    tints = {name: tuple(map(int, values[name].split(", "))) for name in ("for-tint", "against-tint")}
    colours = {
        name: tuple(int(value[at : at + 2], 16) for at in (1, 3, 5))
        for name, value in values.items()
        if value.startswith("#")
    }
    grounds = [colours["page"], colours["stripe"], colours["note"]]
    grounds += [tuple(0.3 * t + 0.7 * p for t, p in zip(tint, colours["page"], strict=True)) for tint in tints.values()]
    assert min(contrast(colours["ink"], ground) for ground in grounds) >= 4.5
    for name in ("faint", "link"):
        assert contrast(colours[name], colours["page"]) >= 4.5
    for name in ("for", "against", "bar"):  # lines, not letters
        assert contrast(colours[name], colours["page"]) >= 3


def test_settings_are_split_into_shared_and_different_and_hide_where_things_lie(make_record):
    def settings(dim):
        return {"row": "x", "method": {"settings": {"dim": dim}}, "data": {"stores": "/home/me", "labels": "round"}}

    records = [make_record("erm", 0, settings=settings(8)), make_record("erm", 1, settings=settings(8))]
    different, shared = settings_grids([*records, make_record("s2lif", 0, settings=settings(16))])
    assert different.head == ("setting", "ERM", "S2LIF")
    assert [[cell.text for cell in row] for row in different.rows] == [["method.settings.dim", "8", "16"]]
    assert [[cell.text for cell in row] for row in shared.rows] == [["data.labels", "round"]]


def test_a_card_is_shown_of_each_domain_and_its_absence_is_told(make_record):
    grid = data_grid([make_record(sources=("vignettes-films",), targets=("mine",))])
    films, mine = [[cell.text for cell in row] for row in grid.rows]
    assert films[5:7] == ["246 / 51 / 113", "Apache-2.0"]
    assert mine[:3] == ["mine", "clips of the user's own, without a card", "target"]


def test_a_comparison_over_all_targets_stands_below_the_tables(outline):
    told = " ".join(outline.texts)
    assert told.index("Single-source: macro-F1") < told.index("Mean over all targets: macro-F1")
    assert "+0.090*" in told and "p adjusted by Holm over 1 rows" in told


def test_warnings_of_runs_are_counted(make_record):
    records = [make_record(seed=seed, extra={"warnings": ["a", "a"] + ["b"] * seed}) for seed in (0, 1)]
    assert run_warnings(records) == ["a (2 runs)", "b (1 run)"]
