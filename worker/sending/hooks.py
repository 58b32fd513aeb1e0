"""Webhooks: the bodies that they are told, and the request itself. The URLs are secrets."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import msgspec
from yarl import URL

from archive.outbound import name_failure
from worker.sending.parcel import SendError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from worker.sending.parcel import Parcel

# Slack: a section's text has 3,000 characters at most, a message's own text is cut at 40,000 and
# better 4,000, and there are 50 blocks at most (Block Kit reference).
_TEXT: Final = 3_500
_SECTION: Final = 2_900
_SECTIONS: Final = 10
_HEADLINE: Final = 1_000
_MORE: Final = "… and more: callvault report has all of it"
_PING: Final = 10_000
_FENCE: Final = "```"
_AGAIN: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


def chat_message(parcel: Parcel) -> dict[str, Any]:
    """Return a parcel as Slack, Mattermost and their like take it.

    Slack shows the blocks; others know the text alone, so it says everything that fits.
    """
    headline = _cut(_escape(parcel.headline), _HEADLINE)
    rest = _rest(parcel)
    pieces = list(_pieces(rest, _SECTION))
    fitting = next(_pieces(rest, _TEXT - len(headline)), "")
    text = f"*{headline}*"
    blocks: list[dict[str, Any]] = [_block(text)]
    blocks += [_block(f"{_FENCE}\n{piece}\n{_FENCE}") for piece in pieces[:_SECTIONS]]
    blocks += [_block(_MORE)] if len(pieces) > _SECTIONS else []
    return {"text": f"{text}\n{_FENCE}\n{fitting}\n{_FENCE}" if fitting else text, "blocks": blocks}


def _rest(parcel: Parcel) -> list[str]:
    """Return the lines of the text without the headline, which stands before it."""
    lines = parcel.text.replace(_FENCE, "'''").splitlines()
    said = ""
    for number, line in enumerate(lines):
        said = f"{said} {line}".strip()
        if said == parcel.headline:
            return lines[number + 1 :]
        if not parcel.headline.startswith(said):
            break
    return lines


def _block(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _escape(text: str) -> str:
    """Return text in which no user, channel or link can be named (Slack, Formatting text)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _pieces(lines: Iterable[str], most: int) -> Iterator[str]:
    """Yield lines together, as many as fit."""
    piece = ""
    for line in (_cut(_escape(line), most) for line in lines):
        if piece and len(piece) + len(line) + 1 > most:
            yield piece
            piece = ""
        piece = f"{piece}\n{line}" if piece else line
    if piece.strip():
        yield piece


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def ping_url(url: str, *, is_failure: bool) -> str:
    """Return what is told of success, or of failure (healthchecks.io, Pinging API)."""
    if not is_failure:
        return url
    told = URL(url)
    return str((told / "fail").with_query(told.query))


async def post_json(
    session: aiohttp.ClientSession, url: str, body: dict[str, Any], *, patience_s: float
) -> None:
    """Post a body as JSON.

    Raises:
        SendError: it was not taken.
    """
    await _post(session, url, msgspec.json.encode(body), "application/json", patience_s)


async def ping(session: aiohttp.ClientSession, url: str, text: str, *, patience_s: float) -> None:
    """Post a short text.

    Raises:
        SendError: it was not taken.
    """
    body = text.encode()[:_PING]
    await _post(session, url, body, "text/plain; charset=utf-8", patience_s)


async def _post(
    session: aiohttp.ClientSession, url: str, body: bytes, kind: str, patience_s: float
) -> None:
    try:
        async with session.post(
            url,
            data=body,
            headers={"Content-Type": kind},
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=patience_s),
        ) as answer:
            status = answer.status
            # Nothing that it says is of use.
            answer.close()
    except TimeoutError:
        raise SendError(f"no answer within {patience_s:g} s", passing=True) from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        # The text of aiohttp's own error may hold the URL.
        raise SendError(name_failure(error).words, passing=True) from None
    if status in range(HTTPStatus.OK, HTTPStatus.MULTIPLE_CHOICES):
        return
    passing = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _AGAIN
    if status in range(HTTPStatus.MULTIPLE_CHOICES, HTTPStatus.BAD_REQUEST):
        raise SendError(f"it answered {status}, a redirect, and we do not go", passing=False)
    raise SendError(f"it answered {status}", passing=passing)
