"""The page's requests and answers (Starlette): nothing is decided here, `teacher.py` does it."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from semcorr_ros.config import from_dict
from semcorr_ros.files.picture import read_image
from semcorr_ros.refusal import Refusal
from semcorr_ros.teach import exporting, importing
from semcorr_ros.teach.access import HEADERS, Guard
from semcorr_ros.teach.actions import read
from semcorr_ros.teach.node_link import Marked
from semcorr_ros.teach.outlines import Click
from semcorr_ros.teach.pictures import LARGEST_UPLOAD, Shot, jpeg, read_shot
from semcorr_ros.teach.teacher import Teacher

LOG = logging.getLogger(__name__)
PAGE = Path(__file__).parent / "page"
LARGEST_REQUEST = 2**20  # bytes of JSON
LONGEST_SHOWN = 1600  # pixels a side of a picture on the page; clicks are in its own pixels all the same
MOST_POINTS = 64
NUMBER = re.compile(r"-?\d{1,6}")

Answer = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Pages:
    """The routes, around one teacher."""

    teacher: Teacher

    def routes(self) -> list[Route | Mount]:
        """List them."""
        post = [
            ("do", self.do), ("undo", self.undo), ("redo", self.redo), ("outline", self.outline),
            ("capture", self.capture), ("step", self.step), ("automatic", self.automatic),
            ("upload", self.upload), ("import", self.bring), ("transfer", self.transfer),
            ("node/load", self.load), ("node/transfer", self.ask_node), ("node/store", self.store),
            ("build", self.build),
        ]  # fmt: skip
        get = [
            ("state", self.state), ("proposal", self.proposal), ("picture", self.picture),
            ("mask", self.mask), ("camera", self.camera), ("live", self.live), ("seen", self.seen),
            ("explain", self.explain), ("class", self.shape), ("export", self.export),
        ]  # fmt: skip
        return [
            *(Route(f"/api/{name}", _told(answer), methods=["GET"]) for name, answer in get),
            *(Route(f"/api/{name}", _told(answer), methods=["POST"]) for name, answer in post),
            Route("/", _told(self.index), methods=["GET"]),
            Mount("/page", StaticFiles(directory=PAGE)),
        ]

    async def index(self, request: Request) -> Response:
        """Send the page."""
        return FileResponse(PAGE / "index.html")

    async def state(self, request: Request) -> Response:
        """Tell everything."""
        return JSONResponse(await run_in_threadpool(self.teacher.state))

    async def do(self, request: Request) -> Response:
        """Do an action, and tell everything."""
        action = read(await _json(request))
        await run_in_threadpool(self.teacher.session.do, action)
        return await self.state(request)

    async def undo(self, request: Request) -> Response:
        """Take the last action back."""
        await run_in_threadpool(self.teacher.session.undo)
        return await self.state(request)

    async def redo(self, request: Request) -> Response:
        """Do again what was taken back."""
        await run_in_threadpool(self.teacher.session.redo)
        return await self.state(request)

    async def proposal(self, request: Request) -> Response:
        """Propose keypoints and outline."""
        return JSONResponse(await _result(self.teacher.proposal(_name(request))))

    async def outline(self, request: Request) -> Response:
        """Correct an outline: {"picture", "clicks": [{"x", "y", "inside"}]}."""
        content = await _json(request)
        clicks = [from_dict(Click, one, "click") for one in _listed(content, "clicks")]
        await _result(self.teacher.outline(str(content.get("picture")), clicks))
        return await self.state(request)

    async def picture(self, request: Request) -> Response:
        """Send a picture of the project, reduced for display."""
        picture = self.teacher.session.state.picture(_name(request))
        path = self.teacher.session.path(picture.file)
        data = await run_in_threadpool(lambda: jpeg(read_image(path), _side(request)))
        return Response(data, media_type="image/jpeg", headers={"cache-control": "private, max-age=60"})

    async def mask(self, request: Request) -> Response:
        """Send an outline of a picture; only files in the folder of outlines."""
        file = request.query_params.get("file", "")
        path = self.teacher.session.path(file)
        if path.suffix != ".png" or not path.is_file():
            raise ValueError(f"no outline {file!r}")
        return FileResponse(path)

    async def camera(self, request: Request) -> Response:
        """Send what the camera shows."""
        shot = await run_in_threadpool(self.teacher.shown)
        return await _shown(shot)

    async def capture(self, request: Request) -> Response:
        """Take a picture."""
        name = await run_in_threadpool(self.teacher.capture)
        return JSONResponse({"name": name, **await run_in_threadpool(self.teacher.state)})

    async def step(self, request: Request) -> Response:
        """Turn the pages of a folder: {"by": 1}."""
        by = (await _json(request)).get("by")
        if type(by) is not int:
            raise ValueError(f"'by' must be a whole number, got {by!r}")
        await run_in_threadpool(self.teacher.step, by)
        return await self.state(request)

    async def automatic(self, request: Request) -> Response:
        """Switch automatic capture: {"on": true}."""
        self.teacher.automatic = (await _json(request)).get("on") is True
        self.teacher.notice = ""
        return await self.state(request)

    async def upload(self, request: Request) -> Response:
        """Keep a picture file that is the body of the request; its name is in the query."""
        name = Path(request.query_params.get("name", "")).name or "picture"
        data = await _body(request, LARGEST_UPLOAD)
        shot = await run_in_threadpool(read_shot, data, name)
        added = await run_in_threadpool(self.teacher.session.add, shot)
        return JSONResponse({"name": added, **await run_in_threadpool(self.teacher.state)})

    async def bring(self, request: Request) -> Response:
        """Take over what an annotation tool exported: a zip that is the body of the request."""
        data = await _body(request, importing.LARGEST_IMPORT)
        told = await run_in_threadpool(importing.bring, self.teacher.session, data)
        return JSONResponse({"told": told, **await run_in_threadpool(self.teacher.state)})

    async def live(self, request: Request) -> Response:
        """Tell the latest live answer."""
        return JSONResponse(await run_in_threadpool(self.teacher.look))

    async def seen(self, request: Request) -> Response:
        """Send the picture of an answer, or with `told` the answer; without a number, list all."""
        if "number" not in request.query_params:
            kept = [
                {"number": one.number, "found": one.told["found"], **_short(one.told)}
                for one in self.teacher.seen
            ]
            return JSONResponse(kept[::-1])
        seen = self.teacher.again(_number(request, "number"))
        if "told" in request.query_params:
            return JSONResponse({"number": seen.number, **seen.told})
        return await _shown(seen.shot)

    async def explain(self, request: Request) -> Response:
        """Align the class to a picture of the project and tell all about it."""
        return JSONResponse(await _result(self.teacher.explain(_name(request))))

    async def shape(self, request: Request) -> Response:
        """Describe the class in 3D."""
        return JSONResponse(await run_in_threadpool(self.teacher.class_json))

    async def build(self, request: Request) -> Response:
        """Build anew, though nothing has changed."""
        await run_in_threadpool(self.teacher.rebuild)
        return await self.state(request)

    async def transfer(self, request: Request) -> Response:
        """Carry pixels over: {"picture", "points": [[x, y]], "target": name or ""}."""
        content = await _json(request)
        name, points = str(content.get("picture")), _points(content)
        return JSONResponse(
            await _result(self.teacher.transfer(name, points, str(content.get("target", ""))))
        )

    async def load(self, request: Request) -> Response:
        """Have the node hold the class."""
        node, path = self.teacher.link(), self.teacher.class_file()
        return JSONResponse({"told": await run_in_threadpool(node.load, path)})

    async def ask_node(self, request: Request) -> Response:
        """Have the node carry pixels over to what its camera shows."""
        marked = await self._marked(await _json(request))
        return JSONResponse(await run_in_threadpool(self.teacher.by_node, marked))

    async def store(self, request: Request) -> Response:
        """Have the node keep a demonstration: {"picture", "points", "names", "id"}."""
        content = await _json(request)
        node, marked = self.teacher.link(), await self._marked(content)
        category, name = self.teacher.session.state.category, str(content.get("id", ""))
        return JSONResponse({"told": await run_in_threadpool(node.store, category, name, marked)})

    async def export(self, request: Request) -> Response:
        """Send the class file, or a zip of the data set as `folder` or COCO."""
        kind, session = request.query_params.get("kind", ""), self.teacher.session
        if kind == "class":
            file = f"{session.root.name}.safetensors"
            return FileResponse(self.teacher.class_file(), filename=file)
        path = await run_in_threadpool(exporting.packed, session, kind)
        return FileResponse(path, filename=path.name, media_type="application/zip")

    async def _marked(self, content: dict[str, Any]) -> Marked:
        session, points = self.teacher.session, _points(content)
        picture = session.state.picture(str(content.get("picture")))
        names = tuple(str(name) for name in _listed(content, "names")) if content.get("names") else ()
        if names and len(names) != len(points):
            raise ValueError(f"{len(names)} names for {len(points)} points")
        scene = await _result(self.teacher.ask(lambda going: self.teacher.library.scene(picture)))
        return Marked(scene.frame, points, names)


def application(teacher: Teacher, token: str, port: int) -> Starlette:
    """Make the web application; nothing is answered without the token."""
    guard = Middleware(Guard, token=token, port=port)
    return Starlette(routes=Pages(teacher).routes(), middleware=[guard])


def _told(answer: Answer) -> Answer:
    """Answer errors as {"error": sentence}, with every header that a browser should respect."""

    async def told(request: Request) -> Response:
        try:
            response = await answer(request)
        except Refusal as refusal:
            response = JSONResponse({"error": refusal.message, "code": refusal.code.name}, 409)
        except (ValueError, OSError) as error:
            response = JSONResponse({"error": str(error)}, 409)
        except ClientDisconnect:
            response = Response(status_code=499)
        except Exception as error:
            LOG.exception("%s", request.url.path)
            response = JSONResponse({"error": f"{type(error).__name__}: {error}"}, 500)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return told


async def _result(future: Future[Any]) -> Any:
    return await asyncio.wrap_future(future)


async def _shown(shot: Shot) -> Response:
    data = await run_in_threadpool(partial(jpeg, shot.frame.image, LONGEST_SHOWN))
    height, width = shot.frame.image.shape[:2]
    return Response(data, media_type="image/jpeg", headers={"x-size": f"{height},{width}"})


async def _body(request: Request, most: int) -> bytes:
    """Read a request, no more than is allowed. Raises ValueError."""
    if int(request.headers.get("content-length") or 0) > most:
        raise ValueError(f"at most {most >> 20} MiB at a time")
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > most:
            raise ValueError(f"at most {most >> 20} MiB at a time")
    return bytes(data)


async def _json(request: Request) -> dict[str, Any]:
    # A form of another page cannot send this type without asking first.
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise ValueError("expected JSON")
    content = json.loads(await _body(request, LARGEST_REQUEST) or b"{}")
    if not isinstance(content, dict):
        raise ValueError(f"expected an object, got {str(content)[:80]}")
    return content


def _listed(content: dict[str, Any], key: str) -> list[Any]:
    value = content.get(key, [])
    if not isinstance(value, list):
        raise ValueError(f"{key!r} must be a list, got {str(value)[:80]}")
    return value


def _points(content: dict[str, Any]) -> list[tuple[float, float]]:
    points = _listed(content, "points")
    pixels = [
        one
        for one in points
        if isinstance(one, list) and [type(v) in (int, float) for v in one] == [True] * 2
    ]
    if not 0 < len(points) <= MOST_POINTS or len(pixels) < len(points):
        raise ValueError(f"'points' must be 1 to {MOST_POINTS} pixels [x, y], got {str(points)[:80]}")
    return [(float(x), float(y)) for x, y in pixels]


def _name(request: Request) -> str:
    return request.query_params.get("name", "")


def _number(request: Request, key: str) -> int:
    text = request.query_params.get(key, "")
    if not NUMBER.fullmatch(text):
        raise ValueError(f"{key!r} must be a whole number, got {text[:20]!r}")
    return int(text)


def _side(request: Request) -> int:
    return (
        min(max(_number(request, "side"), 32), LONGEST_SHOWN)
        if "side" in request.query_params
        else LONGEST_SHOWN
    )


def _short(told: dict[str, Any]) -> dict[str, Any]:
    return {"confidence": told["confidence"], "code": told.get("refusal", {}).get("code", "")}
