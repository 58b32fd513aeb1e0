"""Whatever a process says takes one way: each path into the log is tried with all secrets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
ENVIRONMENT: Final = {
    "EXOTEL_API_KEY": "keykeykey-0f0f0f",
    "EXOTEL_API_TOKEN": "tokentoken/1e+1e",
    "EXOTEL_WEBHOOK_SECRET": "hook-secret-2d2d2d2d",
    "CALLVAULTD_QUEUE": "redis://:queuepass3c@h.example:6379/0",
    "HTTPS_PROXY": "http://user:proxypass4b@proxy.example:3128",
}
SIGNATURE: Final = "5a9f" * 16
PHONES: Final = ("+919812345678", "09812345678", "98123 45678")
PUSHED: Final = (
    f"https://h.example/a.mp3?X-Amz-Signature={SIGNATURE} "
    f"https%3A%2F%2Fh.example%2Fa.mp3%3FX-Amz-Signature%3D{SIGNATURE} "
    f"{' '.join(PHONES)} /hook/main/hook-secret-2d2d2d2d "
    "keykeykey-0f0f0f tokentoken/1e+1e tokentoken%2F1e%2B1e queuepass3c proxypass4b "
    "a2V5a2V5a2V5LTBmMGYwZjp0b2tlbnRva2VuLzFlKzFl redis://:queuepass3c@h.example:6379/0"
)
NEVER: Final = (
    *("keykeykey", "tokentoken", "hook-secret", "queuepass", "proxypass", SIGNATURE),
    *("98123", "a2V5a2V5a2V5LTBmMGYwZjp0b2tlbnRva2VuLzFlKzFl"),
)

BEGIN: Final = """
import asyncio, logging, os, sys, threading, warnings, structlog
from worker.logs import configure_logging
from worker.sections import Log
configure_logging(Log(format=sys.argv[1], level="debug"))
pushed = sys.argv[2]
log = structlog.get_logger()

class Refusing:
    def __del__(self):
        raise ValueError(pushed)

def chained():
    try:
        try:
            raise KeyError(pushed)
        except KeyError as error:
            raise ValueError("first " + pushed) from error
    except ValueError:
        raise RuntimeError(f"second {pushed}")

async def in_loop(work):
    await work(asyncio.get_running_loop())
"""
PATHS: Final = {
    "ours": "log.warning('event ' + pushed, url=pushed, deep={'a': [pushed, (pushed,)]})",
    "ours with arguments": "log.error('event %s', pushed)",
    "ours with a wrong number of arguments": "log.error('event %s %d', pushed)",
    "ours with a field named by a secret": "log.error('event', **{pushed: 1})",
    "the stack": "log.error('event ' + pushed, stack_info=True)",
    "a library's arguments": "logging.getLogger('redis').error('event %s %r', pushed, [pushed])",
    "a library's wrong arguments": "logging.getLogger('redis').error('event %d', pushed)",
    "a library's extra": (
        "logging.getLogger('x').error('event', extra={'url': pushed, 'n': [pushed]})"
    ),
    "a job's arguments": "logging.getLogger('arq.worker').warning('event %s', {'args': (pushed,)})",
    "access": "logging.getLogger('aiohttp.access').warning('event GET %s HTTP', pushed)",
    "a chained exception": """
        try:
            chained()
        except RuntimeError:
            log.exception('event')
        """,
    "a chained exception of a library": """
        try:
            chained()
        except RuntimeError:
            logging.getLogger('aiohttp.server').exception('event')
        """,
    "an exception as a field": "log.error('event', error=ValueError(pushed))",
    "a group of exceptions": """
        try:
            raise ExceptionGroup(pushed, [ValueError(pushed)])
        except ExceptionGroup:
            log.exception('event')
        """,
    "a warning of Python": "warnings.warn('event ' + pushed, RuntimeWarning)",
    "a thread": """
        thread = threading.Thread(target=chained)
        thread.start()
        thread.join()
        """,
    "what cannot be raised": "Refusing()",
    "a lost task": """
        async def lose(loop):
            task = loop.create_task(asyncio.sleep(0))
            loop.call_exception_handler({'message': 'event', 'exception': ValueError(pushed)})
            await task
        asyncio.run(in_loop(lose))
        """,
    "a slow callback": """
        async def fail(loop):
            loop.call_soon(chained)
            await asyncio.sleep(0.01)
        asyncio.run(in_loop(fail))
        """,
    "a web server's error": """
        from aiohttp import ClientSession, web
        async def refuse(request):
            raise ValueError(pushed)
        async def ask(loop):
            app = web.Application()
            app.router.add_get('/{all:.*}', refuse)
            runner = web.AppRunner(app)
            await runner.setup()
            site = web.TCPSite(runner, '127.0.0.1', 0)
            await site.start()
            port = runner.addresses[0][1]
            async with ClientSession() as session:
                await (await session.get(f'http://127.0.0.1:{port}/x', params={'q': pushed})).read()
            await runner.cleanup()
        asyncio.run(in_loop(ask))
        """,
    "what nobody caught": "chained()",
}


MARK: Final = "now:"
LAST: Final = "what nobody caught"


def run(form: str, *paths: str) -> subprocess.CompletedProcess[str]:
    """Run paths one after the other in a process of its own, each after a line with its name."""
    bare = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    parts = [f"log.info({MARK + name!r})\n{textwrap.dedent(PATHS[name])}" for name in paths]
    return subprocess.run(  # noqa: S603 - our own script, no shell
        [sys.executable, "-c", "\n".join([BEGIN, *parts]), form, PUSHED],
        cwd=ROOT,
        env={**bare, **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_secret_passes_by_any_path() -> None:
    """Each says something, as JSON in whole lines, and nothing of what it was pushed."""
    done = run("json", *PATHS)
    said: dict[str, list[dict[str, Any]]] = {}
    now = ""
    for line in done.stderr.splitlines():
        told = json.loads(line)
        assert {"event", "level", "time"} <= told.keys()
        if told["event"].startswith(MARK):
            now = told["event"].removeprefix(MARK)
            said[now] = []
        else:
            said[now].append(told)
            leaks = [secret for secret in NEVER if secret in line]
            assert (now, leaks) == (now, [])
    assert said.keys() == PATHS.keys()
    assert [name for name, lines in said.items() if not lines] == []
    assert (done.returncode, done.stdout) == (1, "")
    for name in (LAST, "a thread", "a chained exception", "a web server's error"):
        assert "Traceback" in said[name][-1]["exception"], name


def test_no_secret_passes_to_a_person_either() -> None:
    """Without a terminal and in words: the same is cut out, and nothing is coloured."""
    done = run("console", "a chained exception")
    assert [secret for secret in NEVER if secret in done.stderr] == []
    assert "Traceback" in done.stderr
    assert "\x1b" not in done.stderr


def test_logging_into_a_full_disk_or_nowhere_ends_nobody() -> None:
    """The process goes on, prints its results, and its exit code is its own."""
    script = f"{BEGIN}\nfor _ in range(50):\n    log.error('event', url=pushed)\nprint('result')"
    for target in ("2>/dev/full", "2>&-", "2>/dev/null"):
        done = subprocess.run(  # noqa: S603 - our own script
            ["/bin/sh", "-c", f'"$0" -c "$1" json secret {target}', sys.executable, script],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, "result\n"), target


def test_the_journal_gets_priorities_and_whole_lines(tmp_path: Path) -> None:
    """Where JOURNAL_STREAM names what stderr is, and nowhere else."""
    script = f"{BEGIN}\nlog.info('one\\ntwo')\nlog.error('three')\nlog.debug('four')"
    file = tmp_path / "journal"
    with file.open("w") as stream:
        found = os.fstat(stream.fileno())
        for told in (f"{found.st_dev}:{found.st_ino}", "1:1"):
            subprocess.run(  # noqa: S603 - our own script, no shell
                [sys.executable, "-c", script, "auto", "x"],
                cwd=ROOT,
                env={**os.environ, "JOURNAL_STREAM": told},
                stderr=stream,
                check=True,
            )
    lines = file.read_text().splitlines()
    assert [line[:3] for line in lines] == ["<6>", "<3>", "<7>", '{"e', '{"e', '{"e']
    assert [json.loads(line.lstrip("<637>"))["event"] for line in lines[:3]] == [
        "one\ntwo",
        "three",
        "four",
    ]
