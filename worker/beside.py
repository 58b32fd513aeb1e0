"""What ``callvault run`` does beside the workers: it polls, and receives callbacks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from worker.polling import POLLING_PART, follow
from worker.secrets import WEBHOOK
from worker.serving import RECEIVING, secrets_of, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from archive.errors import Exit
    from worker.settings import Settings
    from worker.supervisor import Supervisor

_log = structlog.get_logger()


async def run_beside(
    supervisor: Supervisor,
    settings: Settings,
    environment: Mapping[str, str],
    *,
    polls: bool,
    receives: bool,
    on_ready: Callable[[str], None] | None = None,
) -> Exit:
    """Run the supervisor, and until it ends the poller and the web server; return its exit code.

    The web server needs a secret: without one it is left out. What cannot go on ends all.

    Raises:
        CallvaultError: one of them cannot begin, or cannot go on.
    """
    stopping = asyncio.Event()
    service = supervisor.service
    work: list[Coroutine[object, object, None]] = []
    if polls:
        service.expect(POLLING_PART)
        work.append(follow(settings, environment, stopping, service=service))
    if receives and secrets_of(settings, environment):
        service.expect(RECEIVING)
        serving = serve(settings, environment, stopping, on_ready=on_ready, service=service)
        work.append(serving)
    elif receives:
        _log.info("no callbacks are received: there is no secret for them", variable=WEBHOOK)
    running = asyncio.create_task(supervisor.run())
    tasks = [asyncio.create_task(one) for one in work]
    for task in tasks:
        task.add_done_callback(lambda _: supervisor.stop())
    try:
        code = await running
    finally:
        stopping.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return code
