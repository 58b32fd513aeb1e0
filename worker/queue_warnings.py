"""What is said at a start of a Redis that may forget: what `callvault doctor` finds, in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from archive.errors import QueueError
from worker.doctor.check import Result
from worker.doctor.queue import ask, judge_persistence, judge_policy
from worker.queues import queue_url
from worker.sections import EMBEDDED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.settings import Settings

_JUDGEMENTS: Final = (judge_policy, judge_persistence)
_log = structlog.get_logger()


async def warn_of_queue(settings: Settings, environment: Mapping[str, str]) -> None:
    """Log what a queue of somebody else's may cost; one of our own has its right settings.

    A queue that cannot be asked is told of by whoever works with it.
    """
    if settings.queue.url == EMBEDDED:
        return
    try:
        server = await ask(queue_url(settings, environment))
    except QueueError as error:
        _log.debug("the queue's settings are not known", error=error.message)
        return
    for judge in _JUDGEMENTS:
        found = judge(server)
        if found.result is Result.WARNED:
            _log.warning("the queue may forget", why=found.said, hint=found.do)
