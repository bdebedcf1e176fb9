"""Who may use the page: whoever has the token, which is made anew at every start."""

from __future__ import annotations

import hmac
import secrets
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

HERE = "127.0.0.1"
REFUSED = "This page needs the token: open the link that `teach` printed when it started.\n"
HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


def new_token() -> str:
    """Make a token nobody can guess."""
    return secrets.token_urlsafe(24)


class Guard:
    """Lets through requests with the token in a cookie or an Authorization header; `/?token=` sets the
    cookie."""

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        # Cookies of a host are shared by its ports: two pages must not take each other's.
        self._app, self._token, self._cookie = app, token, f"semcorr_teach_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["path"] == "/" and self._right(given):
            entered = RedirectResponse("/", 303, HEADERS)
            entered.set_cookie(self._cookie, self._token, httponly=True, samesite="strict")
            await entered(scope, receive, send)
        elif self._right(self._of(Headers(scope=scope))):
            await self._app(scope, receive, send)
        else:
            await PlainTextResponse(REFUSED, 403, HEADERS)(scope, receive, send)

    def _of(self, headers: Headers) -> str:
        bearer = headers.get("authorization", "")
        if bearer.startswith("Bearer "):
            return bearer.removeprefix("Bearer ")
        cookies = [one.strip().partition("=") for one in headers.get("cookie", "").split(";")]
        return next((value for name, _, value in cookies if name == self._cookie), "")

    def _right(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token.encode())
