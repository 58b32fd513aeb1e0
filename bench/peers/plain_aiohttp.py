"""A script with aiohttp: URLs by the hundred, 64 downloads at once."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import aiohttp

API = os.environ["API"]
ACCOUNT = os.environ["ACCOUNT"]


async def main() -> None:
    """Fetch what the file ``sids`` names."""
    sids = Path("sids").read_text(encoding="ascii").split()  # noqa: ASYNC240 - as one writes it
    slots = asyncio.Semaphore(64)
    auth = aiohttp.BasicAuth(os.environ["EXOTEL_API_KEY"], os.environ["EXOTEL_API_TOKEN"])
    headers = {"Authorization": auth.encode()}
    async with aiohttp.ClientSession(headers=headers) as session, asyncio.TaskGroup() as group:
        for at in range(0, len(sids), 100):
            for call in await resolve(session, sids[at : at + 100]):
                group.create_task(download(session, slots, call["Sid"], call["RecordingUrl"]))


async def resolve(session: aiohttp.ClientSession, sids: list[str]) -> list[dict[str, str]]:
    """Ask for a hundred URLs."""
    query = {"Sid": ",".join(sids), "PageSize": "100"}
    async with session.get(f"{API}/v1/Accounts/{ACCOUNT}/Calls.json", params=query) as answer:
        answer.raise_for_status()
        told = await answer.json()
    return list(told["Calls"])


async def download(
    session: aiohttp.ClientSession, slots: asyncio.Semaphore, sid: str, url: str
) -> None:
    """Fetch one recording."""
    async with slots, session.get(url) as answer:
        answer.raise_for_status()
        with open(f"recordings/{sid}.mp3", "wb") as file:  # noqa: ASYNC230, PTH123 - as one writes it
            async for chunk in answer.content.iter_chunked(65_536):
                file.write(chunk)


asyncio.run(main())
