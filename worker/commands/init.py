"""``callvault init``: writes settings for an account, and sees whether its key works."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any, Final

import click

from archive.errors import Exit, InputError
from worker.completion import complete_from
from worker.outputs import not_written
from worker.screen import GOOD, painted

_MODE: Final = 0o640
_HOSTS: Final = "A host of your own instead of the provider's, such as the sandbox's."


@click.command()
@click.option("--sid", help="The account's Sid, as the provider's dashboard shows it.")
@click.option(
    "--region",
    type=click.Choice(["singapore", "mumbai"]),
    help="Where the account is; with a key and token it is found out.",
)
@click.option("--retention-days", type=int, help="After so many days recordings are deleted.")
@click.option("--root", help="The folder for recordings.")
@click.option("--state", help="The folder for the catalog and the queue.")
@click.option("--min-free", help="Room to be left free on the disk, such as 5GiB.")
@click.option("--name", default="main", show_default=True, help="What you call the account.")
@click.option(
    "--timezone",
    shell_complete=complete_from("Asia/Kolkata", "Asia/Singapore", "UTC"),
    help="The zone of the provider's times. Default: Asia/Kolkata.",
)
@click.option("--processes", type=int, help="Worker processes; 0 is one per core.")
@click.option("--web/--no-web", "web", default=None, help="Whether callbacks are received.")
@click.option("--api-base", multiple=True, metavar="URL", help="Ask here instead of the regions.")
@click.option("--recording-host", "recording_hosts", multiple=True, metavar="HOST", help=_HOSTS)
@click.option("--storage-host", "storage_hosts", multiple=True, metavar="HOST", help=_HOSTS)
@click.option("--check/--no-check", default=True, help="Ask the regions who knows the account.")
@click.option("--print", "prints", is_flag=True, help="Print the settings, and write no file.")
@click.pass_obj
def init(config: Path | None, /, *, check: bool, prints: bool, **given: Any) -> int:  # noqa: ANN401 - the options by their names
    """Write commented settings for an account, and say which region knows its key.

    On a terminal it asks for what the options do not say. The key and token are taken from
    EXOTEL_API_KEY and EXOTEL_API_TOKEN, or asked for, and are written nowhere.
    """
    # Loaded here: they load all that settings are made of.
    from worker.answers import check_options  # noqa: PLC0415
    from worker.choices import odd, written  # noqa: PLC0415
    from worker.commands.interview import Asker, interview, nearest  # noqa: PLC0415

    file = config or Path(os.environ.get("CALLVAULT_CONFIG") or "config.toml")
    if not prints and os.path.lexists(file):
        raise InputError(
            f"{file} is there already, and is left as it is",
            hint="name another file with --config, or see what would be written with --print",
        )
    check_options(given, check=check)
    place = nearest(file.parent)
    if not prints and not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
        # Told before a person is asked for ten things that would be lost then.
        raise InputError(
            f"{file} cannot be written: {place} is no folder in which we may",
            hint="name another file with --config",
        )
    asker = Asker(asks=sys.stdin.isatty() and sys.stderr.isatty())
    choices = interview(asker, file, given, check=check)
    text = written(choices, file)
    disk = shutil.disk_usage(nearest(file.parent / choices.root))
    for note in odd(choices, free=disk.free):
        click.echo(f"note: {note}", err=True)
    if prints:
        click.echo(text.encode(), nl=False)
        return Exit.COMPLETE
    _write(file, text)
    click.echo(f"{painted('wrote', GOOD)} {file}")
    for line in _next_steps(file, given["name"], web=asker.web):
        click.echo(line)
    return Exit.COMPLETE


def _write(file: Path, text: str) -> None:
    """Write a new file, which others may not read; nothing is overwritten.

    Raises:
        InputError: it is there by now, or cannot be written there.
        FatalError: the disk is full, or fails.
    """
    doing, hint = f"writing {file}", "name another file with --config"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    except OSError as error:
        raise not_written(error, doing, hint=hint) from error
    try:
        with os.fdopen(number, "wb") as out:
            os.fchmod(number, _MODE)
            out.write(text.encode())
    except OSError as error:
        file.unlink()
        raise not_written(error, doing, hint=hint) from error


def _command(file: Path) -> str:
    """Return how callvault is called for it to read these settings."""
    from worker.settings import find_settings  # noqa: PLC0415 - as above

    try:
        is_found = find_settings(None, os.environ).resolve() == file.resolve()
    except InputError:  # it lies where nothing is looked for
        is_found = False
    return "callvault" if is_found else f"callvault --config {shlex.quote(str(file))}"


def _next_steps(file: Path, name: str, *, web: bool) -> list[str]:
    own = name.upper().replace("-", "_")
    lines = [
        "The key and token are not in it. Give them in the environment, as EXOTEL_API_KEY and",
        f"EXOTEL_API_TOKEN (of several accounts as EXOTEL_API_KEY_{own} and so on), or to a",
        "systemd unit as the credentials exotel-api-key and exotel-api-token.",
    ]
    if web:
        lines.append("Callbacks need EXOTEL_WEBHOOK_SECRET, too; make one: openssl rand -hex 24")
    command = _command(file)
    if os.geteuid() == 0:
        lines.append("Others may not read it, services among them, until their user is let:")
        lines.append(f"{command} systemd install --dry-run tells the commands for that.")
    lines.append(f"Next: {command} enqueue cdr EXPORT, then {command} work --drain")
    return lines
