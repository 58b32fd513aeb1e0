"""An arq task per Sid, as arq's documents show it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import aiohttp
from arq import create_pool
from arq.connections import RedisSettings

REDIS = RedisSettings(unix_socket_path=os.environ["REDIS_SOCKET"])


async def startup(ctx: dict[str, Any]) -> None:
    """Open the session."""
    auth = aiohttp.BasicAuth(os.environ["EXOTEL_API_KEY"], os.environ["EXOTEL_API_TOKEN"])
    ctx["session"] = aiohttp.ClientSession(headers={"Authorization": auth.encode()})


async def shutdown(ctx: dict[str, Any]) -> None:
    """Close the session."""
    await ctx["session"].close()


async def archive(ctx: dict[str, Any], sid: str) -> None:
    """Ask for the URL of a recording, and fetch it."""
    session = ctx["session"]
    call = f"{os.environ['API']}/v1/Accounts/{os.environ['ACCOUNT']}/Calls/{sid}.json"
    async with session.get(call) as answer:
        answer.raise_for_status()
        url = (await answer.json())["Call"]["RecordingUrl"]
    async with session.get(url) as answer:
        answer.raise_for_status()
        with open(f"recordings/{sid}.mp3", "wb") as file:  # noqa: ASYNC230, PTH123 - as one writes it
            async for chunk in answer.content.iter_chunked(65_536):
                file.write(chunk)


class WorkerSettings:
    """What ``arq`` runs."""

    functions = (archive,)
    on_startup = startup
    on_shutdown = shutdown
    redis_settings = REDIS
    max_jobs = 64
    burst = True


async def enqueue() -> None:
    """Make a job of each Sid."""
    pool = await create_pool(REDIS)
    for sid in Path("sids").read_text(encoding="ascii").split():  # noqa: ASYNC240 - as one writes it
        await pool.enqueue_job("archive", sid, _job_id=sid)
    await pool.aclose()


if __name__ == "__main__":
    asyncio.run(enqueue())
