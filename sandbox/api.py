"""The two endpoints of the voice API: one call, and many calls.

Source: Exotel voice API, Call details and Bulk call details. Both ask for Basic auth and share one
limit of requests a minute; errors come as a RestException.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from urllib.parse import urlencode

from sandbox import listing as bulk
from sandbox import rows
from sandbox.access import Credentials, Login
from sandbox.answers import Answer, Ask, Endpoint, json_answer, rest_exception, xml_answer
from sandbox.calls import HISTORY, Provider
from sandbox.limits import SlidingMinute
from sandbox.listing import BadRequestError, Listing, Page
from sandbox.rows import Asked, Links

_CURSORS = ("After", "Before")
# What is on the last page where the next one's address would be.
_NO_MORE: tuple[dict[str, object], ...] = ({"NextPageUri": None}, {"NextPageUri": ""}, {})


@dataclass(frozen=True, slots=True)
class Api:
    """The API of one account."""

    provider: Provider
    links: Links
    credentials: Credentials
    limiter: SlidingMinute
    rate_headers: bool

    def answer(self, ask: Ask, now: datetime) -> Answer:
        """Answer one request: who asks, how often, for what."""
        login = self.credentials.check(ask.authorization)
        if login is not Login.GOOD:
            refusal = rest_exception(ask, HTTPStatus.UNAUTHORIZED, "Authentication failed")
            return replace(refusal, misplaced=login is Login.WRONG)
        if ask.account != self.provider.account:
            return rest_exception(ask, HTTPStatus.NOT_FOUND, "No such account")
        allowance = self.limiter.admit(now)
        if allowance is not None and not allowance.allowed:
            answer = rest_exception(ask, HTTPStatus.TOO_MANY_REQUESTS, "Too many requests")
        else:
            answer = self._permitted(ask, now)
        if allowance is None or not self.rate_headers:
            return answer
        return replace(answer, headers={**answer.headers, **allowance.headers})

    def _permitted(self, ask: Ask, now: datetime) -> Answer:
        try:
            body = self._one(ask, now) if ask.endpoint is Endpoint.CALL else self._many(ask, now)
        except BadRequestError as error:
            return rest_exception(ask, HTTPStatus.BAD_REQUEST, str(error))
        if body is None:
            return rest_exception(ask, HTTPStatus.NOT_FOUND, "The call was not found")
        return xml_answer(body) if ask.xml else json_answer(body)

    def _one(self, ask: Ask, now: datetime) -> dict[str, object] | None:
        """Give the body for one call; None for a Sid that is unknown, to come or forgotten."""
        asked = _asked(ask.query, listed=False)
        index = self.provider.index_of(ask.name)
        if index is None:
            return None
        call = self.provider.call(index)
        if not now - HISTORY <= call.started_at <= now:
            return None
        return {"Call": rows.body(call, self.provider, self.links, asked, now)}

    def _many(self, ask: Ask, now: datetime) -> dict[str, object]:
        """Give the body for a page of calls."""
        asked = _asked(ask.query, listed=True)
        wanted = bulk.read(ask.query, now, self.provider.zone)
        page = bulk.find(wanted, self.provider, now)
        calls = [rows.body(call, self.provider, self.links, asked, now) for call in page.calls]
        return {"Metadata": self._metadata(ask.query, wanted, page), "Calls": calls}

    def _metadata(self, query: Mapping[str, str], wanted: Listing, page: Page) -> dict[str, object]:
        """Describe a page; the addresses of its neighbours are relative to the host."""
        metadata: dict[str, object] = {
            "Total": page.total,
            "PageSize": wanted.rows,
            "FirstPageUri": self._uri(query, {}),
            "PrevPageUri": None,
        }
        if page.has_previous and page.calls:
            metadata["PrevPageUri"] = self._uri(query, {"Before": page.calls[0].sid})
        if page.has_next and page.calls:
            after = {"After": page.calls[-1].sid}
            return metadata | {"NextPageUri": self._uri(query, after)}
        return metadata | _NO_MORE[page.total % len(_NO_MORE)]

    def _uri(self, query: Mapping[str, str], cursor: Mapping[str, str]) -> str:
        kept = {name: text for name, text in query.items() if name not in _CURSORS}
        path = f"/v1/Accounts/{self.provider.account}/Calls.json"
        fields = urlencode({**kept, **cursor})
        return f"{path}?{fields}" if fields else path


def _asked(query: Mapping[str, str], *, listed: bool) -> Asked:
    """Read what a request wants to see of each call."""
    details = query.get("details", "").lower() == "true"
    return Asked(details, bulk.validity_minutes(query), listed)
