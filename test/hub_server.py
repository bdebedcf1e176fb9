"""The few answers of the Hugging Face hub and of GitHub that a download needs, from a dict of files."""

import contextlib
import hashlib
import http.server
import json
import threading

COMMIT = "0" * 39 + "1"


@contextlib.contextmanager
def serve(files: dict[str, bytes], gated: bool = False, cut_after: int | None = None):
    """Yields (url, log of requests). `cut_after`: close the connection after this many bytes, once."""
    log: list[str] = []
    cuts = [cut_after] if cut_after else []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self._answer(body=False)

        def do_GET(self):
            self._answer(body=True)

        def _answer(self, body: bool) -> None:
            log.append(f"{self.command} {self.path}")
            path = self.path.partition("?")[0]
            if gated:
                self._send(403, b"", {"X-Error-Code": "GatedRepo"}, body)
            elif "/tree/" in path:
                rows = [_row(name, data) for name, data in files.items()]
                self._send(200, json.dumps(rows).encode(), {"Content-Type": "application/json"}, body)
            elif "/revision/" in path:
                info = {"id": "/".join(path.split("/")[3:5]), "sha": COMMIT, "private": False}
                self._send(200, json.dumps(info).encode(), {"Content-Type": "application/json"}, body)
            elif (name := _name(path)) in files:
                self._send_file(files[name], body)
            else:
                self._send(404, b"", {"X-Error-Code": "EntryNotFound"}, body)

        def _send_file(self, data: bytes, body: bool) -> None:
            digest = hashlib.sha256(data).hexdigest()
            headers = {"X-Repo-Commit": COMMIT, "X-Linked-Etag": f'"{digest}"', "ETag": f'"{digest}"'}
            headers["X-Linked-Size"] = str(len(data))
            asked = self.headers.get("Range")
            if not asked or not body:
                return self._send(200, data, headers, body)
            start = int(asked.removeprefix("bytes=").partition("-")[0])
            log.append(f"from {start}")
            if start >= len(data):
                return self._send(416, b"", {}, body)
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            return self._send(206, data[start:], headers, body)

        def _send(self, status: int, data: bytes, headers: dict[str, str], body: bool) -> None:
            self.send_response(status)
            for key, value in (headers | {"Content-Length": str(len(data))}).items():
                self.send_header(key, value)
            self.end_headers()
            if body and cuts and len(data) > cuts[0]:
                self.wfile.write(data[: cuts.pop()])
                self.close_connection = True
            elif body:
                self.wfile.write(data)

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", log
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _row(name: str, data: bytes) -> dict:
    digest = hashlib.sha256(data).hexdigest()
    lfs = {"oid": digest, "size": len(data), "pointerSize": 130}
    return {"type": "file", "path": name, "size": len(data), "oid": digest[:40], "lfs": lfs}


def _name(path: str) -> str:
    """Of /<owner>/<repo>/resolve/<revision>/<name> and of /<owner>/<repo>/raw/<revision>/<name>."""
    return "/".join(path.split("/")[5:])
