"""What may be wrong with an answer of the API: pure functions of dice.

A mutation takes an answer that is right and gives one that is odd: its bytes, its JSON, its headers
or its status.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

Path = tuple[str | int, ...]
_DEEP: Final = 100_000
_LONG: Final = 100_000


class Answer(msgspec.Struct, frozen=True):
    """An answer as it goes over the wire. ``length`` replaces the true Content-Length."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    length: str | None = None


class Hostile(msgspec.Struct, frozen=True):
    """What a mutation may point to: a server that nobody may ask, hosts that may be, Sids."""

    trap: str
    recording_host: str
    storage_host: str
    sids: tuple[str, ...]

    def urls(self) -> list[str]:
        """Return URLs that are not a recording's."""
        folder = "exotelrecordings/sandbox1"
        return [
            f"http://{self.trap}/{folder}/a.mp3",
            f"http://{self.recording_host}@{self.trap}/a.mp3",
            f"http://{self.recording_host}\\@{self.trap}/a.mp3",
            f"http://{self.trap}#{self.recording_host}/a.mp3",
            f"http://{self.recording_host}.{self.trap}/a.mp3",
            f"//{self.trap}/a.mp3",
            f"http://{self.recording_host}/../{folder}/a.mp3",
            f"http://{self.recording_host}/{folder}/%2e%2e/%2e%2e/sandbox/stats",
            f"http://{self.recording_host}/{folder}/a.mp3\r\nHost: {self.trap}",
            f"http://{self.recording_host}/{folder}/{'a' * 5000}.mp3",
            f"http://{self.recording_host}:99999/a.mp3",
            f"http://{self.recording_host}/{folder}/a.mp3?X-Amz-Signature=a",
            f"http://{self.storage_host}/{folder}/a.mp3",
            "http://[::1/a.mp3",
            "http://[fe80::1%25lo]/a.mp3",
            "file:///etc/passwd",
            "https://169.254.169.254/latest/meta-data",
            "javascript:alert(1)",
            "\u202ehttp://recordings.exotel.com/a.mp3",
            "http://\ud800/a.mp3",
            "0",
        ]


_TIMES: Final = (
    *("0000-00-00 00:00:00", "0001-01-01T00:00:00Z", "1970-01-01 05:30:00", "2006-01-01 00:00:00"),
    *("2099-12-31 23:59:59", "9999-12-31 23:59:59", "2026-13-45 99:99:99", "2026-02-30 00:00:00"),
    *("2026-01-01 00:00:00+99:99", "2026-01-01 00:00:00-23:59", "now", "20260101", "2026-W01-1"),
)
_WORDS: Final = (
    *("queued", "in-progress", "no-answer", "NO-ANSWER ", "completed", "", "null", "x" * 1000),
    *("\u0000", "\ud800", "\U0001f4de", "\u202e", "'; DROP TABLE calls; --", "../../etc"),
)
_NUMBERS: Final = (
    *(0, -1, 1, 5, 86_400, 10**9, 10**18, 2**63, 10**400, -(10**400), 1.5, -0.0, 1e308),
)
_NUMBER_TEXTS: Final = ("-1", "1e999", "NaN", "Infinity", "0x10", "\u0663", "1_000", " 7 ", "")


def _values(dice: random.Random, hostile: Hostile) -> object:
    """Draw a value of any type."""
    kinds: list[Callable[[], object]] = [
        lambda: None,
        lambda: dice.choice([True, False]),
        lambda: dice.choice(_NUMBERS),
        lambda: dice.choice(_NUMBER_TEXTS),
        lambda: dice.choice(_WORDS),
        lambda: dice.choice(_TIMES),
        lambda: dice.choice(hostile.urls()),
        lambda: dice.choice(hostile.sids),
        list,
        dict,
        lambda: [[[[[{"Sid": dice.choice(hostile.sids)}]]]]],
        lambda: {"href": dice.choice(hostile.urls())},
    ]
    return dice.choice(kinds)()


def _fitting(dice: random.Random, name: str | int, hostile: Hostile) -> object:
    """Draw a value that looks as if it belonged to a field."""
    match str(name):
        case "RecordingUrl" | "PreSignedRecordingUrl":
            return dice.choice(["", None, "null", *hostile.urls()])
        case "StartTime" | "EndTime" | "DateCreated" | "DateUpdated":
            return dice.choice(_TIMES)
        case "Duration" | "ConversationDuration" | "Price" | "Total":
            return dice.choice([*_NUMBERS, *_NUMBER_TEXTS])
        case "Sid":
            return dice.choice([*hostile.sids, *_WORDS, 7])
        case "NextPageUri":
            return dice.choice(hostile.urls())
        case _:
            return dice.choice(_WORDS)


def _places(value: object, path: Path = ()) -> Iterator[Path]:
    """Yield the path of each value below one."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield (*path, name)
            yield from _places(inner, (*path, name))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield (*path, at)
            yield from _places(inner, (*path, at))


def _holder(document: Any, path: Path) -> Any:  # noqa: ANN401 - JSON
    for step in path[:-1]:
        document = document[step]
    return document


def _json(dice: random.Random, answer: Answer, hostile: Hostile) -> Answer:
    """Change, drop, double or move a few values."""
    document = json.loads(answer.body)
    for _ in range(dice.randint(1, 4)):
        places = list(_places(document))
        if not places:
            break
        path = dice.choice(places)
        _edit(dice, _holder(document, path), path[-1], hostile)
    return msgspec.structs.replace(answer, body=_dump(document))


def _edit(dice: random.Random, holder: Any, name: str | int, hostile: Hostile) -> None:  # noqa: ANN401 - JSON
    match dice.randrange(6):
        case 0:
            del holder[name]
        case 1 | 2:
            holder[name] = _fitting(dice, name, hostile)
        case 3:
            holder[name] = _values(dice, hostile)
        case 4:
            holder[name] = [holder[name]]
        case _ if isinstance(holder, list):
            holder.insert(dice.randint(0, len(holder)), holder[dice.randrange(len(holder))])
        case _:
            holder[f"{name}"[::-1]] = holder[name]


def _rows(dice: random.Random, answer: Answer, hostile: Hostile) -> Answer:
    """Change rows of a listing as a whole."""
    document = json.loads(answer.body)
    rows = document.get("Calls")
    if not isinstance(rows, list) or not rows:
        return _json(dice, answer, hostile)
    match dice.randrange(6):
        case 0:
            rows.pop(dice.randrange(len(rows)))
        case 1:
            rows.append({**dice.choice(rows), "RecordingUrl": dice.choice(hostile.urls())})
        case 2:
            dice.shuffle(rows)
        case 3:
            others = [row["RecordingUrl"] for row in rows if row.get("RecordingUrl")]
            rows.append({**dice.choice(rows), "RecordingUrl": dice.choice([*others, None])})
        case 4:
            rows.extend({"Sid": f"foreign{at:025}"} for at in range(2_000))
        case _:
            document["Metadata"] = _values(dice, hostile)
    return msgspec.structs.replace(answer, body=_dump(document))


def _misleading(dice: random.Random, answer: Answer, hostile: Hostile) -> Answer:
    """Leave a call's URL out, and be wrong about a few of the facts that decide what that means."""
    document = json.loads(answer.body)
    rows = document.get("Calls") or [document.get("Call")]
    row = dice.choice(rows)
    if not isinstance(row, dict):
        return answer
    row.pop("PreSignedRecordingUrl", None)
    row["RecordingUrl"] = dice.choice([None, ""])
    names = ("DateCreated", "StartTime", "EndTime", "Duration", "Status")
    for name in dice.sample(names, dice.randint(0, len(names))):
        row[name] = _fitting(dice, name, hostile)
    if dice.random() < 0.3:
        row["Details"] = {"ConversationDuration": 0, "Leg2Status": "no-answer"}
    return msgspec.structs.replace(answer, body=_dump(document))


def _dump(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _doubled_key(dice: random.Random, answer: Answer, hostile: Hostile) -> Answer:
    """Give a field twice in one object: the last one counts for most readers."""
    name = dice.choice(["Sid", "RecordingUrl", "Status", "Calls", "StartTime"])
    other = json.dumps(_fitting(dice, name, hostile))
    key = f'"{name}":'.encode()
    body = answer.body.replace(key, key + other.encode() + b"," + key, 1)
    return msgspec.structs.replace(answer, body=body)


def _flips(dice: random.Random, answer: Answer, _: Hostile) -> Answer:
    body = bytearray(answer.body)
    for _flip in range(dice.choice([1, 1, 2, 20])):
        if body:
            body[dice.randrange(len(body))] ^= 1 << dice.randrange(8)
    return msgspec.structs.replace(answer, body=bytes(body))


def _bytes(dice: random.Random, answer: Answer, _: Hostile) -> Answer:
    """Cut, double, fill or replace the body."""
    body, at = answer.body, dice.randint(0, len(answer.body))
    bodies: list[bytes] = [
        body[:at],
        body[at:],
        body + body,
        b"",
        b"\xef\xbb\xbf" + body,
        body.decode().encode("utf-16"),
        body[:at] + dice.randbytes(dice.randint(1, 50)) + body[at:],
        b"[" * _DEEP,
        b'{"Calls":' * _DEEP,
        b'{"Calls":[' + b"[" * _DEEP + b"]" * _DEEP + b"]}",
        b'{"Calls":[' + b"1" * _LONG + b"]}",
        b"null",
        b'{"Calls":[]}',
        b'{"Calls":null}',
        b'{"Call":{}}',
        b"<html>",
        b" " * _LONG,
    ]
    return msgspec.structs.replace(answer, body=dice.choice(bodies))


def _headers(dice: random.Random, answer: Answer, _: Hostile) -> Answer:
    """Say odd things about the limit, the time to wait, the body's type and its form."""
    numbers = (
        "0",
        "-1",
        "1",
        "7",
        "1e400",
        "nan",
        "inf",
        "1e30",
        "99999999999",
        "\u00e9",
        "1, 2",
        "",
    )
    names = ("Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
    headers = [(name, dice.choice(numbers)) for name in names if dice.random() < 0.5]
    others = [
        ("Content-Encoding", dice.choice(["gzip", "br", "identity", "x" * 1000])),
        ("Content-Type", dice.choice(["text/html", "application/json; charset=utf-7", ""])),
        ("Set-Cookie", "session=1; Domain=exotel.com"),
        ("Location", "http://127.0.0.1:9/"),
        ("X-Long", "x" * 9_000),
        ("Date", "yesterday"),
    ]
    headers += [one for one in others if dice.random() < 0.15]
    return msgspec.structs.replace(answer, headers=(*answer.headers, *headers))


def _lengths(dice: random.Random, answer: Answer, _: Hostile) -> Answer:
    size = len(answer.body)
    lengths = (
        f"{size - 1}",
        f"{size // 2}",
        "0",
        "-1",
        "9" * 30,
        "x",
        f"{size}, {size}",
        f"+{size}",
    )
    return msgspec.structs.replace(answer, length=dice.choice(lengths))


def _statuses(dice: random.Random, answer: Answer, _: Hostile) -> Answer:
    statuses = (100, 101, 199, 201, 204, 206, 301, 302, 304, 400, 401, 402, 403, 404, 405, 408, 410)
    others = (413, 416, 418, 429, 451, 500, 502, 503, 504, 599, 600, 999)
    headers = dice.choice([(), (("Retry-After", dice.choice(["1", "0", "-5", "nan", "1e300"])),)])
    return Answer(dice.choice([*statuses, *others]), answer.body, headers)


MUTATIONS: Final[tuple[Callable[[random.Random, Answer, Hostile], Answer], ...]] = (
    *(_json, _json, _misleading, _misleading, _rows, _doubled_key, _flips, _flips),
    *(_bytes, _headers, _lengths, _statuses),
)


def mutate(dice: random.Random, answer: Answer, hostile: Hostile) -> Answer:
    """Return the answer with something wrong about it."""
    changed = dice.choice(MUTATIONS)(dice, answer, hostile)
    # Now and then two things at once.
    return changed if dice.random() < 0.8 else _headers(dice, changed, hostile)


def touched(right: Answer, changed: Answer, sids: set[str]) -> set[str]:
    """Return the calls of which a reader may believe something wrong.

    There are none where the whole answer is nonsense: nothing is concluded from that for any call.
    """
    if changed.status != right.status:
        return sids if len(sids) == 1 else set()
    told, tells = _calls(right.body), _calls(changed.body)
    if tells is None:
        return set()
    told = told or []
    return {
        sid
        for sid in sids
        if [row for row in told if _sid(row) == sid] != [row for row in tells if _sid(row) == sid]
    }


def _calls(body: bytes) -> list[Any] | None:
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    if isinstance(document.get("Calls"), list):
        return list(document["Calls"])
    return [document["Call"]] if "Call" in document else None


def _sid(row: object) -> object:
    return row.get("Sid") if isinstance(row, dict) else None
