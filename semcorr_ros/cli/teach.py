"""Open a web page on which a class is taught: take pictures, annotate them, build, look, use.

Everything is kept in the project's folder, a data set of format `folder`. The page is for this machine only,
and needs the token in the link that is printed. Needs the extra `teach`.
"""

from __future__ import annotations

import importlib
import socket
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from semcorr_ros.backbones import beware
from semcorr_ros.cli._needs import needing
from semcorr_ros.cli._options.teach import TeachOptions
from semcorr_ros.cli._providers import device_from, live_from
from semcorr_ros.cli._words import words_of
from semcorr_ros.finder import Finder
from semcorr_ros.teach.build_command import build_words
from semcorr_ros.teach.node_link import NodeLink
from semcorr_ros.teach.session import Session
from semcorr_ros.teach.sources import FolderSource, Source, Webcam
from semcorr_ros.teach.state import State
from semcorr_ros.teach.teacher import Teacher

LOCAL = ("127.0.0.1", "localhost", "::1")
WARNING = (
    "warning: {host} can be reached from other machines. Whoever has the link may change the project and "
    "load classes into the node, and what is sent is not encrypted: an ssh tunnel to 127.0.0.1 is safer."
)


def run(options: TeachOptions) -> int:
    """Serve the page until interrupted. Raises ValueError, OSError, ImportError."""
    with needing("teach", "the page"):
        web = importlib.import_module("semcorr_ros.teach.web")
        access = importlib.import_module("semcorr_ros.teach.access")
        uvicorn = importlib.import_module("uvicorn")
    teacher = _teacher(options)
    try:
        listening = _listen(options.page.host, options.page.port)
        host, port = options.page.host, listening.getsockname()[1]
        token = access.new_token()
        _announce(options, teacher.session, f"http://{host}:{port}/?token={token}")
        settings = {"log_level": "warning", "access_log": False, "timeout_graceful_shutdown": 2}
        server = uvicorn.Server(uvicorn.Config(web.application(teacher, token, port), **settings))
        server.run(sockets=[listening])
    finally:
        teacher.close()
    return 0


def _teacher(options: TeachOptions) -> Teacher:
    device = device_from(options.sources.compute)
    finder = Finder(live_from(options.sources), options.judgement.min_score)
    if caution := beware(finder.backbone):
        print(f"warning: {caution}", file=sys.stderr)
    folder = options.project.project or Path(options.project.category or "my_class")
    session = Session(folder, options.project.category)
    try:
        source, node = _source(options)
    except BaseException:
        session.close()
        raise
    own = words_of(options.sources.features, options.sources.compute, options.sources.depth_network)

    def words(state: State, file: Path, told: Path) -> Sequence[str]:
        return build_words(session.root, state, (file, told), own)

    return Teacher(session, finder, words, source, node, device)


def _source(options: TeachOptions) -> tuple[Source | None, NodeLink | None]:
    given = options.pictures
    if given.images is not None:
        return FolderSource(given.images), None
    if given.camera is not None:
        return Webcam(given.camera), None
    if given.bag is not None:
        with needing("bags", "reading bags"):
            bags: Any = importlib.import_module("semcorr_ros.teach.bag_source")
        return bags.BagSource(given.bag), None
    if given.ros:
        try:
            ros: Any = importlib.import_module("semcorr_ros.ros.teaching")
        except ImportError as problem:
            raise ImportError(
                f"{problem}; --ros needs ROS 2: source one and build, or `make setup`"
            ) from problem
        graph = ros.Graph(options.ros)
        return graph.camera, graph.node
    return None, None


def _listen(host: str, port: int) -> socket.socket:
    """Bind. Raises ValueError naming the port or the address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)  # whoever follows the link before the server runs waits for it
    except OSError as error:
        listening.close()
        raise ValueError(
            f"cannot listen on {host}, port {port}: {error}; choose with --host and --port"
        ) from error
    return listening


def _announce(options: TeachOptions, session: Session, link: str) -> None:
    if options.page.host not in LOCAL:
        print(WARNING.format(host=options.page.host), file=sys.stderr)
    count = len(session.state.pictures)
    print(f"{session.state.category}: {count} pictures in {session.root}")
    print(f"open {link}\nCtrl-C ends it; nothing is lost.", flush=True)
    if not options.page.no_browser:
        webbrowser.open(link)
