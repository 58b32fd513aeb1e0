"""What ``callvault init`` has to know: given as options, looked up, or asked for on a terminal."""

from __future__ import annotations

import asyncio
import os
import shutil
from typing import TYPE_CHECKING, Any, Final

import click

from archive.accounts import Account
from archive.clock import system_clock
from archive.errors import CredentialsError, InputError
from worker.answers import mistake_in
from worker.choices import (
    PLANS,
    REGIONS,
    Choices,
    check_hosts,
    missing_flags,
    propose_free,
    propose_places,
)
from worker.secrets import credentials_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from archive.accounts import Credentials

_NEEDED: Final = ("sid", "retention_days")
_KEY: Final = "EXOTEL_API_KEY"
_TOKEN: Final = "EXOTEL_API_TOKEN"  # noqa: S105 - the name of a variable


class Asker:
    """Asks a person, with questions on standard error: standard output may be a file."""

    def __init__(self, *, asks: bool) -> None:
        self.asks = asks
        self.web = False

    def ask(
        self,
        question: str,
        given: object,
        *,
        default: str | None = None,
        kind: str = "",
        among: tuple[str, ...] = (),
    ) -> str:
        """Return what is given, or the answer; where nobody can be asked, the default.

        ``kind`` names the choice whose rule an answer has to follow, where it is not one ``among``
        some; who answers wrongly is told so and asked again.
        """
        if given is not None:
            return str(given)
        if not self.asks:
            assert default is not None  # what has none was looked for before
            return default
        answer = click.prompt(
            question,
            default=default,
            err=True,
            type=click.Choice(among) if among else None,
            value_proc=None if among else _checked(kind),
        )
        return str(answer)

    def confirm_web(self, given: bool | None) -> bool:  # noqa: FBT001 - what --web says, or None
        """Tell whether callbacks are to be received."""
        if given is None and self.asks:
            given = click.confirm("Receive the provider's callbacks", default=False, err=True)
        self.web = bool(given)
        return self.web

    def has_credentials(self) -> bool:
        """Tell whether a key and token can be found without asking."""
        try:
            return self._found("main") is not None
        except CredentialsError:
            return False

    def credentials(self, name: str) -> Credentials | None:
        """Return the key and token that were found or asked for; they are kept in memory alone.

        None where there are none: then nobody is asked, and that is said.
        """
        try:
            return self._found(name)
        except CredentialsError as error:
            why = error.message
        if self.asks and not (os.environ.get(_KEY) or os.environ.get(_TOKEN)):
            click.echo(
                "The key and token are written nowhere; without them no region is asked.", err=True
            )
            key = click.prompt("API key", default="", hide_input=True, show_default=False, err=True)
            if key:
                token = click.prompt("API token", hide_input=True, err=True)
                account = Account(name=name, sid="")
                typed = {_KEY: key, _TOKEN: token}
                return credentials_for(account, typed, only_account=True)
        click.echo(f"note: no region was asked: {why}", err=True)
        return None

    def _found(self, name: str) -> Credentials:
        return credentials_for(Account(name=name, sid=""), os.environ, only_account=True)


def _checked(kind: str) -> Callable[[str], Any]:
    """Return what reads an answer, and has it asked for again where it cannot be."""

    def read(answer: str) -> str:
        text = answer.strip()
        if not text:
            raise click.UsageError("an answer is needed")
        if why := mistake_in(kind, text):
            raise click.UsageError(why)
        return text

    return read


def interview(asker: Asker, file: Path, given: dict[str, Any], *, check: bool) -> Choices:
    """Gather what the settings are written from: given, looked up, or asked for.

    Raises:
        InputError: something needed is not given, and nobody is there to be asked.
    """
    if not asker.asks:
        needs_region = not given["api_base"] and not (check and asker.has_credentials())
        needed = (*_NEEDED, "region") if needs_region else _NEEDED
        if missing := missing_flags(given, needed=needed):
            raise InputError(
                f"init needs to know more: {', '.join(missing)}",
                hint="give these options, or start it on a terminal, where it asks",
            )
    sid = asker.ask("Account Sid, as the dashboard shows it", given["sid"], kind="sid")
    api_base = _region(asker, sid, given, check=check)
    days = asker.ask(
        f"Days until the provider deletes a recording ({PLANS})",
        given["retention_days"],
        default="30",
        kind="retention_days",
    )
    places = propose_places(file)
    zone = asker.ask(
        "Zone of the provider's times", given["timezone"], default="Asia/Kolkata", kind="timezone"
    )
    root = asker.ask("Folder for recordings", given["root"], default=places.root, kind="root")
    state = asker.ask(
        "Folder for catalog and queue", given["state"], default=places.state, kind="state"
    )
    free = asker.ask(
        "Room to be left free on that disk",
        given["min_free"],
        default=propose_free(shutil.disk_usage(nearest(file.parent / root)).total),
        kind="min_free",
    )
    cores = os.cpu_count() or 1
    processes = asker.ask(
        f"Worker processes (0 is one per core; here {cores})",
        given["processes"],
        default="0",
        kind="processes",
    )
    return Choices(
        sid=sid,
        api_base=api_base,
        retention_days=int(days),
        root=root,
        state=state,
        min_free=free,
        timezone=zone,
        name=given["name"],
        processes=int(processes),
        web=asker.confirm_web(given["web"]),
        recording_hosts=given["recording_hosts"],
        storage_hosts=given["storage_hosts"],
    )


def _region(asker: Asker, sid: str, given: dict[str, Any], *, check: bool) -> str:
    """Return the address of the API that knows the account, or is said to."""
    wished = REGIONS.get(given["region"] or "")
    own = given["api_base"]
    credentials = asker.credentials(given["name"]) if check else None
    if credentials is not None:
        return _asked(asker, sid, wished, own, credentials)
    if wished is None and len(own) == 1:
        return str(own[0])
    if wished is None and own:
        raise InputError(
            "one --api-base can be written",
            hint="name one, or give the key and token that tell which one it is",
        )
    return wished or REGIONS[asker.ask("Region", None, among=tuple(REGIONS))]


def _asked(
    asker: Asker, sid: str, wished: str | None, own: tuple[str, ...], credentials: Credentials
) -> str:
    """Ask the regions, say what each of them said, and return the one that answered."""
    from worker.regions import Met, Region, ask_regions, choose  # noqa: PLC0415 - it loads HTTP

    regions = [Region(name.capitalize(), base) for name, base in REGIONS.items()]
    if own:
        regions = [Region(f"--api-base {number}", base) for number, base in enumerate(own, 1)]
    check_hosts(sid, [region.api_base for region in regions])
    answers = asyncio.run(ask_regions(regions, sid, credentials, os.environ, clock=system_clock))
    known = [answer.region for answer in answers if answer.met is Met.ANSWERED]
    if len(known) > 1 and wished is None and asker.asks:
        names = {region.name.lower(): region.api_base for region in known}
        asked = asker.ask("Several regions know this account. Which", None, among=tuple(names))
        wished = names[asked]
    chosen = choose(answers, wished)
    for answer in answers:
        click.echo(answer.words(), err=True)
    if wished not in {None, chosen.api_base}:
        click.echo(f"note: that is not the region asked for; {chosen} is written", err=True)
    return chosen.api_base


def nearest(folder: Path) -> Path:
    """Return the folder, or if it is not there yet the nearest above it that is."""
    here = folder.expanduser().absolute()
    while not here.exists() and here != here.parent:
        here = here.parent
    return here
