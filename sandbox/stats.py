"""What the stand-in saw: counts only, in memory that does not grow with the requests."""

from collections import Counter
from datetime import datetime

from sandbox.answers import Answer, Endpoint
from sandbox.faults import FaultKind
from sandbox.limits import PeakMinute
from sandbox.several import MOST_RECORDINGS, PART_STRIDE

_API = frozenset({Endpoint.LISTING, Endpoint.CALL})
_BYTE_BITS = 8


class Stats:
    """Counts requests by endpoint and status, bytes, downloads, faults, misplaced credentials."""

    def __init__(self, calls: int) -> None:
        """Begin with nothing seen; ``calls`` is how many calls there are."""
        self._calls = calls
        self.reset()

    def reset(self) -> None:
        """Forget everything seen so far."""
        self._requests: Counter[tuple[Endpoint, int]] = Counter()
        self._minute = PeakMinute()
        self._faults: Counter[FaultKind] = Counter()
        self._bytes = 0
        self._misplaced = 0
        self._downloads = 0
        self._distinct = 0
        # One bit per recording that a call may have tells whether it was served before.
        self._served = bytearray(MOST_RECORDINGS * self._calls // _BYTE_BITS + 1)

    def asked(self, endpoint: Endpoint, answer: Answer, now: datetime) -> None:
        """Count a request with the answer it gets."""
        self._requests[endpoint, int(answer.status)] += 1
        self._misplaced += answer.misplaced
        if endpoint in _API:
            self._minute.see(now)

    def faulted(self, kind: FaultKind | None) -> None:
        """Count an answer that was spoilt; None for one that was not."""
        if kind is not None:
            self._faults[kind] += 1

    def sent(self, size: int) -> None:
        """Count bytes of bodies."""
        self._bytes += size

    def served(self, index: int) -> None:
        """Count one recording, or a part of one that was asked for, sent to its end.

        ``index`` is the ``Audio``'s.
        """
        self._downloads += 1
        further, call = divmod(index, PART_STRIDE)
        place, bit = divmod(further * self._calls + call, _BYTE_BITS)
        if not self._served[place] >> bit & 1:
            self._served[place] |= 1 << bit
            self._distinct += 1

    def shown(self) -> dict[str, object]:
        """Give all counts, ready to be written as JSON."""
        requests: dict[str, dict[str, int]] = {endpoint.value: {} for endpoint in Endpoint}
        for (endpoint, status), count in sorted(self._requests.items()):
            requests[endpoint.value][str(status)] = count
        return {
            **requests,
            "api_requests": sum(sum(requests[endpoint.value].values()) for endpoint in _API),
            "api_peak_per_minute": self._minute.peak,
            "bytes": self._bytes,
            "misplaced_credentials": self._misplaced,
            "downloads": {"total": self._downloads, "distinct": self._distinct},
            "faults": {kind.value: count for kind, count in sorted(self._faults.items())},
        }
