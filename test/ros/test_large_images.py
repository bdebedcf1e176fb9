"""The shipped Fast DDS profile: it is read, and images of 12 megapixels pass between processes with it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from ros.conftest import ROOT, UP_TIME, spin_until

PROFILE = ROOT / "config/fastdds_large_images.xml"
IMAGES = 6
WARM, COUNTED = 3, 25  # images until both streams flow, and of which none may be lost
BEFORE_KILTED = ("humble", "iron", "jazzy")
PREFIX = "FASTRTPS" if os.environ.get("ROS_DISTRO") in BEFORE_KILTED else "FASTDDS"
VARIABLE = f"{PREFIX}_DEFAULT_PROFILES_FILE"

pytestmark = pytest.mark.skipif(
    os.environ.get("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp") != "rmw_fastrtps_cpp",
    reason="the profile is Fast DDS's",
)


@pytest.fixture
def camera() -> Iterator[subprocess.Popen]:
    """Large images by shared memory."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "test/ros/large_camera.py"), str(IMAGES), "3"],
        env={**os.environ, VARIABLE: str(PROFILE)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


def test_twelve_megapixels_pass_between_processes(start, ros, camera):
    received: list[int] = []

    def take(message: DiagnosticArray) -> None:
        values = {item.key: item.value for status in message.status for item in status.values}
        received.append(int(values.get("images received", 0)))

    subscription = ros.create_subscription(DiagnosticArray, "/diagnostics", take, 10)
    before = segments()
    node = start("perceive", {"backbone": "fabricated", "__node": "large"}, **{VARIABLE: str(PROFILE)})
    enough = spin_until(ros, lambda: bool(received) and received[-1] >= IMAGES // 2)
    sizes = [size for name, size in segments().items() if name not in before]
    status, output = node.stop()
    ros.destroy_subscription(subscription)
    assert status == 0, output
    assert "XMLPARSER" not in output
    # By the profile, and not by luck: its segments are there, of the size that it says.
    if sys.platform == "linux":
        assert sum(size >= segment_size() for size in sizes) >= 1
    assert enough, f"{received[-1:]} of {IMAGES} images arrived"


def test_nothing_is_lost_between_nodes_that_nobody_gave_a_profile(start, ros):
    """As the first command of the documentation starts them: images of 640x480 with depth."""
    values: dict[str, str] = {}

    def take(message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == "plain: perception":
                values.update({item.key: item.value for item in status.values})

    subscription = ros.create_subscription(DiagnosticArray, "/diagnostics", take, 10)
    start("perceive", {"backbone": "fabricated", "depth": "required", "__node": "plain"})
    assert spin_until(ros, lambda: values.get("lifecycle state") == "active")
    camera = start("scene_camera", {"views": "1", "rate": "5.0"})
    assert spin_until(ros, lambda: int(values.get("depth images received", 0)) >= WARM)
    before = int(values.get("dropped SYNC_MISS", 0))
    assert spin_until(ros, lambda: int(values["images received"]) >= WARM + COUNTED)
    assert int(values.get("dropped SYNC_MISS", 0)) - before <= 1, values.get("why SYNC_MISS")
    assert abs(int(values["images received"]) - int(values["depth images received"])) <= 1
    ros.destroy_subscription(subscription)
    camera.stop()


def test_a_wrong_profile_is_reported(tmp_path):
    wrong = tmp_path / "wrong.xml"
    wrong.write_text(PROFILE.read_text().replace("segment_size", "segment_sise"))
    assert "XMLPARSER" in _printed(wrong)
    assert "XMLPARSER" not in _printed(PROFILE)


def test_a_segment_holds_an_image_and_the_queue_all_its_pieces():
    piece = 65_000  # bytes, about: the largest message of Fast DDS
    image = 4000 * 3000 * 3
    assert segment_size() > image
    queue = int(PROFILE.read_text().partition("<port_queue_capacity>")[2].partition("<")[0])
    assert queue > 2 * image / piece


def segment_size() -> int:
    """Bytes, as the profile says."""
    return int(PROFILE.read_text().partition("<segment_size>")[2].partition("<")[0])


def segments() -> dict[str, int]:
    """Shared-memory segments of Fast DDS on this machine, with their sizes."""
    found = {}
    for path in Path("/dev/shm").glob("fast*"):
        try:
            found[path.name] = path.stat().st_size
        except FileNotFoundError:  # of a process that has just ended
            continue
    return found


def _printed(profile: Path) -> str:
    code = "import rclpy; rclpy.init(); rclpy.create_node('reader').destroy_node(); rclpy.shutdown()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, VARIABLE: str(profile)},
        capture_output=True,
        text=True,
        timeout=UP_TIME,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr
