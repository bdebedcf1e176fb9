"""What a running node adds to the model: `python -m semcorr_lab.timing.measure_service`.

Starts the node, asks it for all keypoints of a picture that the request brings along, and prints JSON.
Part of `semcorr_ros bench`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
import torch
from rclpy.node import Node
from semcorr_ros.srv import TransferKeypoints
from std_msgs.msg import Header

from semcorr_ros.artifacts import Camera
from semcorr_ros.ros import conversions

NODE = (sys.executable, "-m", "semcorr_ros", "perceive")
WARM_UP = 5  # calls that do not count: discovery, caches
UP = 60.0  # seconds until the node answers
ANSWER = 60.0


def main(argv: list[str] | None = None) -> int:
    """Measure and print JSON.

    Returns 0. Raises RuntimeError with the node's last words where there is no answer.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("class_file", type=Path)
    parser.add_argument("picture", type=Path, help="NPZ with image, depth (metres), focal, center")
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--device", default="auto")
    args = parser.parse_args(argv)
    # Neither the graph of a robot nor another benchmark's.
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
    with tempfile.TemporaryFile() as log:
        node = _start(args, log)
        rclpy.init(args=[])
        client = rclpy.create_node("bench")
        try:
            json.dump(_timed(client, node, (_request(args), args.calls)), sys.stdout)
        except TimeoutError as error:
            log.seek(0)
            words = log.read().decode(errors="replace").strip().splitlines()[-3:]
            raise RuntimeError(f"{error}; the node said: {' / '.join(words)}") from error
        finally:
            client.destroy_node()
            rclpy.shutdown()
            node.send_signal(signal.SIGINT)
            node.wait(30)
    return 0


def _start(args: argparse.Namespace, log: Any) -> subprocess.Popen[bytes]:
    values = {"classes": f"[{args.class_file.resolve()}]", "device": args.device, "threads": args.threads}
    given = [part for key, value in values.items() for part in ("-p", f"{key}:={value}")]
    return subprocess.Popen([*NODE, "--ros-args", *given], stdout=log, stderr=subprocess.STDOUT)


def _request(args: argparse.Namespace) -> TransferKeypoints.Request:
    with np.load(args.picture, allow_pickle=False) as stored:
        image, depth = stored["image"], stored["depth"]
        focal, center = torch.from_numpy(stored["focal"]), torch.from_numpy(stored["center"])
    header = Header(frame_id="optical")
    return TransferKeypoints.Request(
        class_name=args.class_file.stem,
        target_image=conversions.color_message(image, header),
        target_depth=conversions.depth_message(depth, header),
        target_camera_info=conversions.camera_message(Camera(focal, center, image.shape[:2]), header),
    )


def _timed(
    node: Node, process: subprocess.Popen[bytes], asked: tuple[TransferKeypoints.Request, int]
) -> dict[str, Any]:
    """Measure milliseconds of round trips, and those of them that the node spent on the picture."""
    request, calls = asked
    client: Any = node.create_client(TransferKeypoints, "/semcorr/transfer_keypoints")
    end = time.monotonic() + UP
    while not client.wait_for_service(0.2):
        if process.poll() is not None or time.monotonic() > end:
            raise TimeoutError("the node did not come up")
    whole, model = [], []
    for _ in range(WARM_UP + calls):
        begun = time.perf_counter()
        future = client.call_async(request)
        rclpy.spin_until_future_complete(node, future, timeout_sec=ANSWER)
        if not future.done():
            raise TimeoutError(f"no answer after {ANSWER:.0f} s")
        answer = future.result()
        if answer is None or not answer.success:
            raise TimeoutError(f"refused: {getattr(answer, 'message', '')}")
        whole.append(1e3 * (time.perf_counter() - begun))
        model.append(1e3 * answer.inference_time)
    bytes_sent = len(request.target_image.data) + len(request.target_depth.data)
    return {
        "round_trip_ms": whole[WARM_UP:],
        "model_ms": model[WARM_UP:],
        "request_bytes": bytes_sent,
        "image": f"{request.target_image.width}x{request.target_image.height}",
    }


if __name__ == "__main__":
    raise SystemExit(main())
