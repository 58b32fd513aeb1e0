"""A mail server that keeps what it is given, or fails as a test says."""

from __future__ import annotations

import asyncio
import base64
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import SMTP
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator
    from email.message import EmailMessage


@dataclass
class Mailbox:
    """What a server was given, and how it answers.

    ``answers`` are given instead of the usual one, by command; ``hangs`` is a command that it never
    answers. ``refuses`` are addresses that it does not take. ``offers`` are the lines of its EHLO.
    """

    answers: dict[str, str] = field(default_factory=dict)
    hangs: str = ""
    refuses: tuple[str, ...] = ()
    starttls: ssl.SSLContext | None = None
    login: bool = False
    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    in_tls: bool = False
    """Whether the last client went over to TLS."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak to one client until it leaves."""
        self.in_tls = False
        writer.write(b"220 mail.test\r\n")
        while line := (await reader.readline()).decode().strip():
            command = line.split(" ", 1)[0].upper()
            self.commands.append(command)
            if command == self.hangs:
                await asyncio.Event().wait()
            if command == "DATA" and command not in self.answers:
                await self._take(reader, writer)
                continue
            writer.write(f"{self.answers.get(command) or self._usual(line, command)}\r\n".encode())
            await writer.drain()
            if command == "STARTTLS" and self.starttls:
                await writer.start_tls(self.starttls)
                self.in_tls = True
            if command == "QUIT":
                break
        writer.close()

    def _usual(self, line: str, command: str) -> str:
        if command == "EHLO":
            offers = ["mail.test"]
            offers += ["STARTTLS"] if self.starttls and not self.in_tls else []
            offers += ["AUTH PLAIN"] if self.login else []
            return "\r\n".join(
                f"250{' ' if number == len(offers) else '-'}{offer}"
                for number, offer in enumerate(offers, start=1)
            )
        if command == "RCPT" and any(address in line for address in self.refuses):
            return "550 nobody"
        if command == "AUTH":
            self.secrets.append(base64.b64decode(line.split(" ")[2]).decode())
            return "235 welcome"
        return {"STARTTLS": "220 go on", "QUIT": "221 bye"}.get(command, "250 fine")

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"354 go on\r\n")
        lines = []
        while (line := await reader.readline()) not in {b".\r\n", b""}:
            lines.append(line)
        mail = message_from_bytes(b"".join(lines), policy=SMTP)
        self.mails.append(mail)
        writer.write(b"250 kept\r\n")


@asynccontextmanager
async def receiving(mailbox: Mailbox, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve a mailbox on a free port of this machine; with ``tls`` from the first byte on."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await mailbox.serve(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    mailbox.port = server.sockets[0].getsockname()[1]
    try:
        yield mailbox.port
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
