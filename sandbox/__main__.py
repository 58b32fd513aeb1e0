"""The command line of the stand-in: ``python -m sandbox``."""

import asyncio
import json
import os
import secrets
import socket
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypedDict, Unpack

import click
import uvloop

from sandbox import calling_back, export, fault_json, options, serving, several
from sandbox.access import Credentials, Signer
from sandbox.api import Api
from sandbox.app import Sandbox, api_app, recording_app, storage_app
from sandbox.callbacks import Fate
from sandbox.calls import FormatChoice, Mix, Provider, Readiness
from sandbox.export import Family
from sandbox.fault_book import MOST_RULES, Book
from sandbox.fault_json import RuleError
from sandbox.faults import IN_ROW, FaultKind, Rule
from sandbox.limits import SlidingMinute
from sandbox.objects import Objects
from sandbox.rows import Links, UrlMode
from sandbox.sending import Shelf
from sandbox.spoilt_json import World
from sandbox.stats import Stats

_PROVIDERS_HOST = "recordings.exotel.com"
_DAY = timedelta(days=1)
# Late calls are younger than this, and the others have to begin before them.
_LATE_WINDOW = timedelta(minutes=5)
_DEFAULT_MINUTE = 60.0


class Options(TypedDict):
    """The command line, as click reads it."""

    calls: int
    seed: str
    account: str
    host: str
    port: int
    recording_port: int
    storage_port: int
    start: str | None
    span: str
    timezone: str
    mix: Mix
    recording_bytes: str | None
    formats: FormatChoice
    ready: Readiness | None
    minute: float
    late: int
    urls: UrlMode
    rate_limit: int
    rate_headers: bool
    retention_days: float
    several: float
    hours: float
    callback: str | None
    callbacks_lost: int
    callbacks_doubled: int
    callbacks_late: int
    faults: float
    fault_seed: str
    fault_kinds: str
    fault_in_row: int
    fault_hold: str
    faults_file: Path | None
    write_cdr: Path | None
    family: Family
    serve: bool
    until_stdin_closes: bool


@click.command(context_settings={"show_default": True, "max_content_width": 100})
@click.option("--calls", type=click.IntRange(0, 10**9), default=500, help="How many calls.")
@click.option("--seed", default="sandbox", help="Every fact about a call follows from it.")
@click.option("--account", default="sandbox1", help="The account's sid.")
@click.option("--host", default="127.0.0.1", help="Where to listen.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The API's (0: any free).")
@click.option("--recording-port", type=click.IntRange(0, 65535), default=0, help="Its port.")
@click.option("--storage-port", type=click.IntRange(0, 65535), default=0, help="Its port.")
@click.option("--start", help="Start of the first call, ISO.  [default: a day ago]")
@click.option("--span", default="12h", help="The time over which calls are spread.")
@click.option("--timezone", default="Asia/Kolkata", help="The zone of all wall times.")
@click.option("--mix", type=options.Choice(Mix), default="all", help="Which kinds of calls.")
@click.option("--bytes", "recording_bytes", help="Size of every recording, such as 129KB.")
@click.option("--format", "formats", type=options.Choice(FormatChoice), default="mixed")
@click.option(
    "--ready",
    type=options.Choice(Readiness),
    help="When recordings are available.  [default: realistic; at-once with --mix clean]",
)
@click.option(
    "--minute",
    type=click.FloatRange(0, min_open=True),
    default=_DEFAULT_MINUTE,
    help="Real seconds that a minute of the provider's processing lasts.",
)
@click.option("--late", type=click.IntRange(0), default=0, help="Calls that end just now.")
@click.option("--urls", type=options.Choice(UrlMode), default="private")
@click.option("--rate-limit", type=click.IntRange(0), default=200, help="A minute; 0: none.")
@click.option("--rate-headers/--no-rate-headers", default=True, help="Tell what remains.")
@click.option("--retention-days", type=click.FloatRange(0), default=30.0)
@click.option(
    "--several",
    type=click.FloatRange(0, 1),
    default=0.0,
    help="Share of recorded calls with two or three recordings.",
)
@click.option(
    "--hours", type=click.FloatRange(0, 1), default=0.0, help="Share of calls of up to four hours."
)
@click.option("--callback", metavar="URL", help="Where to post a StatusCallback when a call ends.")
@click.option("--callbacks-lost", type=click.IntRange(0, 100), default=0, help="Of a hundred.")
@click.option("--callbacks-doubled", type=click.IntRange(0, 100), default=0, help="Of a hundred.")
@click.option("--callbacks-late", type=click.IntRange(0, 100), default=0, help="Of a hundred.")
@click.option(
    "--faults", type=click.FloatRange(0, 1), default=0.0, help="Share of answers that go wrong."
)
@click.option("--fault-seed", default="faults", help="Which answers do, and how, follows from it.")
@click.option(
    "--fault-kinds",
    default="",
    metavar="KIND,...",
    show_default="all that a client can recover from",
    help=f"What goes wrong: {', '.join(FaultKind)}.",
)
@click.option(
    "--fault-in-row",
    type=click.IntRange(1),
    default=IN_ROW,
    help="The most faults in a row for one object.",
)
@click.option("--fault-hold", default="90s", help="How long stalls and drips last.")
@click.option(
    "--faults-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Rules of faults, in the JSON that POST /sandbox/faults takes.",
)
@click.option("--write-cdr", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE")
@click.option("--family", type=options.Choice(Family), default="cdr", help="Of the CDR.")
@click.option("--serve/--no-serve", default=True, help="Or only write the CDR.")
@click.option("--until-stdin-closes", is_flag=True, help="End with who started this.")
def main(**given: Unpack[Options]) -> None:
    """Stand in for the provider: its API, its recordings and its CDR exports.

    The accepted key and token are read from SANDBOX_KEY and SANDBOX_TOKEN (sandbox-key and
    sandbox-token where these are not set). Once it serves, it prints one line of JSON with the
    addresses. SIGTERM ends it.
    """
    provider, rules = _provider(given, datetime.now(UTC)), _rules(given)
    if not given["serve"]:
        written = _write_cdr(given, provider, _PROVIDERS_HOST)
        click.echo(json.dumps({"event": "written", **written}))
        return
    with ExitStack() as stack:
        names = ("port", "recording_port", "storage_port")
        ports = (given["port"], given["recording_port"], given["storage_port"])
        listeners = [
            stack.enter_context(_listen(given["host"], port, name))
            for name, port in zip(names, ports, strict=True)
        ]
        _serve(given, provider, rules, listeners)


def _provider(given: Options, now: datetime) -> Provider:
    zone = options.zone(given["timezone"])
    start, span = given["start"], options.duration(given["span"])
    first = options.moment(start, zone) if start else now - _DAY
    if given["late"] > given["calls"]:
        raise click.UsageError("--late asks for more calls than --calls gives")
    if given["late"] and first + span > now - _LATE_WINDOW:
        raise click.UsageError("--late needs the other calls (--start, --span) to lie further back")
    text = given["recording_bytes"]
    clean = given["mix"] is Mix.CLEAN
    return Provider(
        calls=given["calls"],
        first=first,
        span=span,
        zone=zone,
        launched=now,
        seed=given["seed"],
        account=given["account"],
        mix=given["mix"],
        formats=given["formats"],
        recording_bytes=options.size(text) if text else None,
        ready=given["ready"] or (Readiness.AT_ONCE if clean else Readiness.REALISTIC),
        minute=given["minute"],
        late=given["late"],
        retention=timedelta(days=given["retention_days"]),
        several=given["several"],
        hours=given["hours"],
    )


def _rules(given: Options) -> list[Rule]:
    """Read what the command line says of faults; the file's rules come first."""
    path = given["faults_file"]
    rules: list[Rule] = []
    try:
        if path is not None:
            rules += fault_json.read(json.loads(path.read_bytes()))
        kinds = fault_json.read_kinds(given["fault_kinds"])
    except RuleError as error:
        raise click.UsageError(f"{path or '--fault-kinds'}: {error}") from None
    except (OSError, ValueError) as error:
        raise click.UsageError(f"--faults-file {path}: {error}") from None
    if len(rules) >= MOST_RULES:
        raise click.UsageError(f"--faults-file {path} has more than {MOST_RULES - 1} rules")
    if given["faults"]:
        hold = options.duration(given["fault_hold"]).total_seconds()
        in_row, seed = given["fault_in_row"], given["fault_seed"]
        rules.append(fault_json.by_chance(given["faults"], seed, kinds, in_row, hold))
    return rules


def _listen(host: str, port: int, name: str) -> socket.socket:
    try:
        return serving.listen(host, port)
    except OSError as error:
        option = name.replace("_", "-")
        raise options.Refused(f"--{option} {port} on {host}: {serving.why_not(error)}") from None


def _write_cdr(given: Options, provider: Provider, recording_host: str) -> dict[str, object]:
    """Write the export where one is asked for; give what to tell about it."""
    path = given["write_cdr"]
    if path is None:
        return {}
    try:
        rows = export.write(path, given["family"], provider, recording_host, datetime.now(UTC))
    except OSError as error:
        raise options.Refused(f"--write-cdr {path}: {error.strerror}") from None
    return {"cdr": {"file": str(path), "family": given["family"].value, "rows": rows}}


def _serve(
    given: Options, provider: Provider, rules: list[Rule], listeners: list[socket.socket]
) -> None:
    """Put the parts together and serve until told to end."""
    api_host, recording_host, storage_host = map(serving.address, listeners)
    credentials = Credentials(
        os.environ.get("SANDBOX_KEY", "sandbox-key"),
        os.environ.get("SANDBOX_TOKEN", "sandbox-token"),
    )
    signer = Signer(secrets.token_hex())
    links = Links(recording_host, storage_host, given["urls"], signer)
    limiter = SlidingMinute(given["rate_limit"])
    sandbox = Sandbox(
        api=Api(provider, links, credentials, limiter, given["rate_headers"]),
        objects=Objects(provider, credentials, signer),
        stats=Stats(provider.calls),
        shelf=Shelf(partial(several.audio, provider)),
        faults=Book(World(provider, links), rules, datetime.now(UTC)),
        clock=lambda: datetime.now(UTC),
    )
    ready = {
        "event": "listening",
        "api_base": f"http://{api_host}",
        "recording_host": recording_host,
        "storage_host": storage_host,
        "account": provider.account,
        "pid": os.getpid(),
        **_write_cdr(given, provider, recording_host),
    }
    apps = (api_app(sandbox), recording_app(sandbox), storage_app(sandbox))
    serving_forever = serving.serve(
        list(zip(apps, listeners, strict=True)),
        json.dumps(ready),
        until_stdin_closes=given["until_stdin_closes"],
        beside=_calling_back(given, provider, recording_host),
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serving_forever)


def _calling_back(
    given: Options, provider: Provider, recording_host: str
) -> Callable[[], Coroutine[Any, Any, None]] | None:
    """Return what sends callbacks, where they are asked for."""
    url = given["callback"]
    if url is None:
        return None
    fate = Fate(given["callbacks_lost"], given["callbacks_doubled"], given["callbacks_late"])
    callbacks = calling_back.due(provider, recording_host, fate, datetime.now(UTC))
    return partial(calling_back.call_back, url, callbacks, minute=provider.minute)


if __name__ == "__main__":
    main(prog_name="python -m sandbox")
