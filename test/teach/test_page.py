"""The page in a real browser: from an empty folder to a transferred point, and what may go wrong."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import dist
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
sync_api = pytest.importorskip("playwright.sync_api")

from teach import rendered_camera  # noqa: E402 - needs nothing that may be missing

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium: apt install chromium")

VIEWS = [4, 2, 22, 6, 20, 3]  # of 24: the handle is seen; the last one is what the point is carried over to
NAMES = ("rim_front", "rim_back", "rim_left", "rim_right", "handle_outer", "handle_top", "base_right")
SLOW = 120_000  # ms, for what a busy machine computes
RIGHT = 8.0  # pixels within which a proposal is left as it is


@dataclass
class Server:
    """A `teach` process and the link that it printed."""

    process: subprocess.Popen[str]
    link: str

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextmanager
def served(project: Path, *words: object) -> Iterator[Server]:
    command = [
        sys.executable,
        "-m",
        "semcorr_ros",
        "teach",
        "--project",
        project,
        "--no-browser",
        "--port",
        0,
    ]
    command += ["--backbone", "tiny", "--threads", 1, *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    process = subprocess.Popen([str(word) for word in command], **pipes)
    try:
        said = ""
        for line in process.stdout:
            said += line
            if found := re.search(r"open (http://\S+)", line):
                yield Server(process, found[1])
                break
        else:
            pytest.fail(f"teach did not start: {said}")
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(30)
        process.stdout.close()


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 760})
    opened = context.new_page()
    opened.set_default_timeout(30_000)
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    yield opened
    context.close()
    assert not problems


def state(page: Any) -> dict[str, Any]:
    return page.request.get(f"{page.url.split('#')[0]}api/state").json()


def at(page: Any, pixel: list[float]) -> tuple[float, float]:
    """Where a pixel of the picture is on the page."""
    stage = page.locator("#stage")
    box, view = stage.bounding_box(), stage.evaluate("stage => ({...stage.dataset})")
    scale = float(view["scale"])
    return (
        box["x"] + float(view["left"]) + (pixel[0] + 0.5) * scale,
        box["y"] + float(view["top"]) + (pixel[1] + 0.5) * scale,
    )


def drag(page: Any, start: list[float], end: list[float]) -> None:
    page.mouse.move(*at(page, start))
    page.mouse.down()
    page.mouse.move(*at(page, [(a + b) / 2 for a, b in zip(start, end, strict=True)]))
    page.mouse.move(*at(page, end))
    page.mouse.up()


def annotate(page: Any, name: str, truth: dict[str, list[float] | None]) -> None:
    """Correct what is proposed for a picture and confirm it, as a user does."""
    page.wait_for_selector(f"#stage[data-picture='{name}']")
    page.wait_for_selector("#proposed-by:not([data-by='thinking']):not([data-by=''])", timeout=SLOW)
    for keypoint in NAMES:
        row = page.locator(f".points li[data-name='{keypoint}']")
        there = [float(v) for v in (row.get_attribute("data-x"), row.get_attribute("data-y")) if v]
        wanted = truth[keypoint]
        row.click()
        if wanted is None and there:
            page.keyboard.press("h")
        elif wanted and not there:
            page.mouse.click(*at(page, wanted))
        elif wanted and there and dist(wanted, there) > RIGHT:
            drag(page, there, wanted)
        else:
            continue
        page.wait_for_selector(f".points li[data-name='{keypoint}'][data-kind='marked']")
    page.keyboard.press("Enter")
    page.wait_for_selector(f".pic.done[data-name='{name}']")


def test_from_an_empty_folder_to_a_transferred_point(page, tmp_path):
    images, project = tmp_path / "images", tmp_path / "mug"
    truth = rendered_camera.shoot(images, VIEWS)
    first, *others = sorted(truth)[:-1]
    with served(project, "--images", images) as server:
        page.goto(server.link)
        page.wait_for_selector("#stage[data-shown='yes']")
        assert "token" not in page.url
        for count in range(1, len(VIEWS)):
            page.keyboard.press(" ")
            page.wait_for_selector(f"#pictures .pic:nth-child({count})")
        page.locator(f".pic[data-name='{first}']").click()
        page.wait_for_selector("#proposed-by[data-by='nothing']", timeout=SLOW)
        for keypoint in NAMES:
            pixel = truth[first][keypoint]
            assert pixel, f"{keypoint} should be seen in the first view"
            page.mouse.click(*at(page, pixel))
            page.locator("#naming input").fill(keypoint)
            page.keyboard.press("Enter")
            page.wait_for_selector(f".points li[data-name='{keypoint}']")
        page.locator("#take-pairs").click()
        page.keyboard.press("Enter")
        page.wait_for_selector(f".pic.done[data-name='{first}']")
        annotate(page, others[0], truth[others[0]])
        before = state(page)
        assert before["pairs"] == [["rim_left", "rim_right"]]
        marks = before["pictures"][0]["marks"]
        assert all(dist(marks[name], truth[first][name]) < 1.5 for name in NAMES)
        server.kill()
    with served(project, "--images", images) as server:
        page.goto(server.link)
        page.wait_for_selector(".pic.done >> nth=1")
        after = state(page)
        assert (after["pictures"], after["keypoints"]) == (before["pictures"], before["keypoints"])
        page.keyboard.press("2")
        annotate(page, others[1], truth[others[1]])
        page.reload()  # in the middle
        annotate(page, others[2], truth[others[2]])
        other = page.context.new_page()  # a second tab sees the same, and takes back what was done last
        other.goto(page.url.split("#")[0])
        other.wait_for_selector(".pic.done >> nth=3")
        other.keyboard.press("z")
        page.wait_for_selector(f".pic:not(.done)[data-name='{others[2]}']")
        other.keyboard.press("Shift+Z")
        page.wait_for_selector(f".pic.done[data-name='{others[2]}']")
        other.close()
        page.wait_for_selector("text=class of 4 pictures", timeout=SLOW)
        annotate(page, others[3], truth[others[3]])
        page.keyboard.press("1")
        assert page.locator("svg.ring path[data-count='1']").count() >= 3
        page.keyboard.press("4")
        page.wait_for_selector("#stage[data-points]:not([data-points='0'])")
        for _ in range(len(VIEWS)):
            if state(page)["source"]["at"] == len(VIEWS):
                break
            page.request.post(f"{page.url.split('#')[0]}api/step", data={"by": 1})
        page.locator(f".pic[data-name='{first}']").click()
        page.keyboard.press("5")
        page.wait_for_selector("#stage[data-shown='yes']")
        page.mouse.click(*at(page, truth[first]["handle_outer"]))
        found = page.locator("#points tr").first
        found.wait_for(timeout=SLOW)
        place = [float(found.get_attribute(f"data-{axis}")) for axis in "xy"]
        assert dist(place, truth[sorted(truth)[-1]]["handle_outer"]) < 20


def test_large_and_broken_pictures_and_a_wrong_token(page, tmp_path):
    large, broken = tmp_path / "large.jpg", tmp_path / "broken.jpg"
    pixels = np.zeros((3000, 4000, 3), np.uint8)
    pixels[1000:2000, 1500:2500] = (200, 90, 40)
    Image.fromarray(pixels).save(large, quality=90)
    broken.write_bytes(large.read_bytes()[:2000])
    with served(tmp_path / "box") as server:
        for link in (
            server.link.partition("?")[0],
            f"{server.link}x",
            f"{server.link.partition('?')[0]}api/state",
        ):
            with pytest.raises(urllib.error.HTTPError, match="403"):
                urllib.request.urlopen(link)
        page.goto(server.link)
        page.locator("#files").set_input_files([str(broken), str(large)])
        page.wait_for_selector("text=broken.jpg is not a readable")
        page.locator(".pic[data-name='large']").click(timeout=SLOW)
        page.wait_for_selector("#stage[data-picture='large']", timeout=SLOW)
        page.wait_for_selector("#proposed-by[data-by='nothing']", timeout=SLOW)
        page.mouse.click(*at(page, [1500, 1000]))
        page.locator("#naming input").fill("corner")
        page.keyboard.press("Enter")
        page.wait_for_selector(".points li[data-name='corner']")
        told = state(page)["pictures"][0]
        assert told["size"] == [3000, 4000]
        assert dist(told["marks"]["corner"], [1500, 1000]) < 4  # half a pixel of the screen
        api = f"{page.url.split('#')[0]}api"
        outside = page.request.get(f"{api}/mask?file=../../etc/passwd")
        assert outside.status == 409
        assert "not in the project" in outside.json()["error"]
        form = page.request.post(f"{api}/undo", headers={"content-type": "text/plain"}, data="{}")
        assert form.ok  # it takes no content
        refused = page.request.post(f"{api}/do", headers={"content-type": "text/plain"}, data="{}")
        assert refused.json()["error"] == "expected JSON"
