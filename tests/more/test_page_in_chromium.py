"""The pages in a real browser: on a telephone and on a desk, light and dark, printed, with scripts off. With LP_SHOTS=folder the
pictures are kept there, for looking at."""

import os
import re
from pathlib import Path

import pytest

from harness import browser
from harness import pages as board
from harness.pages import NOW, Pages, bar, make_past, name_of, pipeline, slot_of

pytestmark = pytest.mark.skipif(not browser.PROGRAM, reason="Chromium is not there; scripts/deps --more installs it")

EVIL = "<img src=x onerror=alert(1)><script>alert(1)</script>"
LONG = "a" * 300
SIZES = {"telephone": (360, 780), "desk": (1280, 900)}


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser.Browser(tmp_path_factory.mktemp("chromium")) as it:
        yield it


@pytest.fixture
def pages(tmp_path, program, server):
    """Every state at once, and a pipeline with a past that has everything in it."""
    file = make_past(program, server, days=34, partial=(7,), failed=(15, 16), missed=(21,), quarantined=(3, 25),
                     source={"on_status": {404: "skip", 401: "stop"}})
    wild = make_past(program, server, days=2, name="wild", source={"each": {"city": [EVIL, LONG]}},
                     sink={"catalog": {"database": "weather", "table": "wild"}})
    bars = [bar(day, duration_ms=700 + day * 97 % 900) for day in range(29, -1, -1)]
    bars[8].update(state=board.PARTIAL, failed=1, rows=4)
    bars[14].update(state=board.FAILED, rows=0)
    bars[20].update(state=board.MISSED, rows=0)
    with Pages(tmp_path) as it:
        it.show({"at_work": 1, "pipelines": [
            pipeline("weather", path=file, bars=bars, words="every day at 18:00 America/New_York"),
            pipeline("air-quality", bars=bars[:-1] + [bar(0, board.FAILED, 300, 0)],
                     last_error="401 from api.openaq.org: the key is refused (env:OPENAQ_KEY)"),
            pipeline("river-levels", bars=bars[20:] + [bar(0, board.PARTIAL, rows=4)], last_error=EVIL),
            pipeline("tides", bars=[], last_duration_ms=None), pipeline("pollen", running_us=NOW, waiting=2),
            pipeline(LONG, fault=f"{LONG}:9:3: unknown key \"limits\""), pipeline("wild", path=wild)]})
        yield it


PATHS = {"front": "/", "pipeline": "/pipelines/weather", "wild": "/pipelines/wild?column=humidity",
         "run": f"/pipelines/weather/runs/{name_of(slot_of(7))}", "quarantine": f"/pipelines/weather/quarantine/{name_of(slot_of(3))}",
         "missing": "/pipelines/nowhere"}


def keep(picture, name):
    if os.environ.get("LP_SHOTS"):
        Path(os.environ["LP_SHOTS"]).mkdir(exist_ok=True)
        (Path(os.environ["LP_SHOTS"]) / f"{name}.png").write_bytes(picture)


@pytest.mark.parametrize("what", PATHS)
def test_a_page_fits_and_breaks_no_rule_on_every_screen_light_and_dark(pages, chromium, tmp_path, what):
    for size, (width, height) in SIZES.items():
        seen = {}
        for dark in (False, True):
            page = chromium.open(pages.url + PATHS[what], width, height, dark)
            name = f"{what}-{size}-{'dark' if dark else 'light'}"
            seen[dark] = page.screenshot(tmp_path / f"{name}.png")
            keep(page.screenshot(tmp_path / "whole.png", whole=True), name)
            assert page.value("document.scrollingElement.scrollWidth") <= width, name
            assert page.value("innerWidth") == width
            found = [it for it in page.faults if not (what == "missing" and "404" in it)]
            assert not found, found
            assert not page.value("document.images.length + document.scripts.length")
            page.close()
        assert seen[False] != seen[True]


CONTRAST = """
(() => {
  const parts = text => text.match(/[\\d.]+/g).map(Number);
  const light = rgb => { const [r, g, b] = rgb.slice(0, 3).map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
                         return .2126 * r + .7152 * g + .0722 * b; };
  const behind = e => { for (; e; e = e.parentElement) { const c = parts(getComputedStyle(e).backgroundColor);
                        if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
  let worst = [99, ''];
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some(n => n.nodeType == 3 && n.data.trim()) || e.closest('svg')) continue;
    const a = light(parts(getComputedStyle(e).color)), b = light(behind(e));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < worst[0]) worst = [ratio, e.className + ' ' + e.textContent.slice(0, 40)];
  }
  return worst;
})()"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("what", ["front", "pipeline", "quarantine"])
def test_all_text_has_contrast_enough(pages, chromium, what, dark):
    page = chromium.open(pages.url + PATHS[what], dark=dark)
    ratio, where = page.value(CONTRAST)
    page.close()
    assert ratio >= 4.5, (ratio, where)


def test_what_strangers_wrote_is_seen_as_text(pages, chromium):
    page = chromium.open(pages.url + "/")
    assert EVIL in page.value("document.body.innerText") and not page.value("document.querySelectorAll('img,script').length")
    page.close()


def test_drawings_are_as_wide_as_the_page_and_their_labels_stand_outside(pages, chromium):
    for width, height in SIZES.values():
        page = chromium.open(pages.url + "/pipelines/weather", width, height)
        boxes = page.value("[...document.querySelectorAll('.plot>svg')].map(e => { const b = e.getBoundingClientRect();"
                           " return [b.left, b.right, b.height] })")
        assert len(boxes) == 3
        for left, right, tall in boxes:
            assert left > 16 and right <= width - 15 and right - left > 0.6 * min(width, 960) and tall > 80
        page.close()


def test_a_bar_leads_to_its_record(pages, chromium):
    page = chromium.open(pages.url + "/pipelines/weather")
    href = page.value("document.querySelector('.plot.durations a').href.baseVal")
    assert pages.get(href).status == 200
    page.close()


def test_the_page_is_the_same_with_scripts_off(pages, chromium, tmp_path):
    pictures = []
    for scripts in (True, False):  # one after the other: a page behind another one is not drawn
        page = chromium.open(pages.url + "/pipelines/weather", scripts=scripts)
        page.screenshot(tmp_path / "first.png")  # it may come before all is drawn
        pictures.append(page.screenshot(tmp_path / "page.png"))
        page.close()
    assert pictures[0] == pictures[1]


def test_it_prints_on_a_few_pages_of_paper(pages, chromium):
    for what, most in (("front", 2), ("pipeline", 4)):
        page = chromium.open(pages.url + PATHS[what], dark=True)
        printed = page.print()
        assert printed.startswith(b"%PDF") and 1 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= most
        page.close()


def test_all_that_can_be_reached_by_keyboard_shows_where_one_is(pages, chromium):
    page = chromium.open(pages.url + "/")
    page.call("Input.dispatchKeyEvent", type="keyDown", key="Tab", code="Tab", windowsVirtualKeyCode=9)
    assert page.value("document.activeElement.textContent") == "weather"
    assert page.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.close()
