"""The page in a real browser: no complaint, no request, nothing beyond the screen's edge, at any width."""

import re

import pytest

from tests.report.html.browser import Browser
from tests.report.html.pages import page_of


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    opened = Browser(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page_of(), encoding="utf-8")
    return path


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_it_opens_without_a_complaint_and_nothing_sticks_out(browser, page, width, dark):
    browser.open(page, width=width, dark=dark)
    assert browser.complaints == []
    assert browser.requests == [page.resolve().as_uri()]
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    background = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(20, 23, 26)" if dark else "rgb(255, 255, 255)")
    # Each table, wide or not, is in a box that scrolls by itself.
    wide = "[...document.querySelectorAll('table')].filter(t => t.getBoundingClientRect().right > innerWidth)"
    assert browser.evaluate(f"{wide}.every(t => t.closest('.scroll'))")


def test_pictures_are_shown(browser, page):
    browser.open(page, width=400)
    assert browser.evaluate("[...document.images].map(i => i.naturalWidth)") == [200]
    assert browser.evaluate("[...document.querySelectorAll('svg')].every(s => s.getBoundingClientRect().height > 50)")


def test_a_script_that_a_transcript_brings_is_text(browser, page):
    browser.open(page, width=400)
    assert browser.evaluate("document.scripts.length") == 0
    assert "<script>alert(1)</script>" in browser.evaluate("document.querySelector('.words').textContent")
    assert browser.evaluate("document.querySelectorAll('[onerror]').length") == 0


def test_a_complaint_and_a_request_would_be_heard(browser, tmp_path):
    path = tmp_path / "bad.html"
    path.write_text('<!DOCTYPE html><title>x</title><img src="missing.png"><script>console.error("oh")</script>')
    browser.open(path, width=400)
    assert any("oh" in complaint for complaint in browser.complaints)
    assert [url.rpartition("/")[2] for url in browser.requests] == ["bad.html", "missing.png"]


def test_it_prints(browser, page, tmp_path):
    browser.open(page, width=1400, dark=True)
    printed = browser.pdf(tmp_path / "page.pdf").read_bytes()
    assert printed.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) >= 2
