"""``callvault systemd``: this machine's units, installed and removed."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from archive.errors import FatalError, InputError
from worker import installing, units
from worker.completion import complete_list
from worker.preparing import Step, lacking, person, refuse_unprepared
from worker.settings import CONFIG_VARIABLE, load_settings
from worker.systemctl import UNIT_DIR, Systemctl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.preparing import Lacking
    from worker.settings import Settings

_RELOAD: Final = Step("systemctl daemon-reload", "")
_unit_dir_option = click.option(
    "--unit-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=UNIT_DIR,
    show_default=True,
    help="The folder of the units.",
)


@click.group()
def systemd() -> None:
    """Install the systemd units of this machine, or remove them."""


@systemd.command()
@click.option(
    "--always", is_flag=True, help="Worker, poller, webhook and the nightly timers. The default."
)
@click.option("--nightly", is_flag=True, help="One run a night, by timers alone.")
@click.option(
    "--only",
    metavar="PART,...",
    shell_complete=complete_list(*units.PARTS),
    help=f"Just these parts, instead, of: {', '.join(units.PARTS)}.",
)
@click.option("--user", default="callvault", show_default=True, help="Whom the services run as.")
@click.option(
    "--credentials",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder of the files with keys. Default: that of the settings file.",
)
@click.option(
    "--encrypted-credentials",
    "encrypted",
    is_flag=True,
    help="The files were made by systemd-creds, and are called NAME.cred.",
)
@_unit_dir_option
@click.option("--now", is_flag=True, help="Enable and start them, too.")
@click.option("--force", is_flag=True, help="Write over files that a person has changed.")
@click.option("-n", "--dry-run", is_flag=True, help="Only show what would be written.")
@click.pass_obj
def install(
    config: Path | None,
    *,
    always: bool,
    nightly: bool,
    only: str | None,
    user: str,
    credentials: Path | None,
    encrypted: bool,
    unit_dir: Path,
    now: bool,
    force: bool,
    dry_run: bool,
) -> None:
    """Write units with this machine's paths: program, settings, recordings, state and keys.

    A file that is there and was not written by this command, or was changed since, is an error.
    Nothing is started without --now.
    """
    if always and nightly:
        raise click.UsageError("--always and --nightly exclude each other")
    if only and (always or nightly):
        raise click.UsageError(
            "--only names all parts that are installed: leave out --always and --nightly"
        )
    # The units name the settings file: variables of this shell are not there.
    shell = {k: v for k, v in os.environ.items() if k == CONFIG_VARIABLE}
    settings = load_settings(config, shell)
    place = _place(settings, user=user, credentials=credentials, encrypted=encrypted)
    profile = units.PROFILES[units.NIGHTLY if nightly else units.ALWAYS]
    parts = [part.strip() for part in only.split(",")] if only else profile
    files = units.rendered(installing.shipped(), parts, place)
    changes = installing.plan(unit_dir, files)
    enabled = units.enabled_of(parts)
    if not force:
        installing.refuse_foreign(changes)
    manager = Systemctl(unit_dir)
    found = lacking(place, files, person(user))
    if dry_run:
        for change in changes:
            for line in change.lines():
                click.echo(line)
        click.echo(_counted(changes, "would be "), err=True)
        _tell_place(place, found)
        _tell_next([*found.steps, *_after(enabled, manager, now=False)])
        return
    if now and not manager.looks:
        raise InputError(
            f"units in {unit_dir} cannot be started", hint="leave out --now or --unit-dir"
        )
    if now:
        refuse_unprepared(place, found)
    put_in(changes, manager, start=enabled if now else [])
    click.echo(_counted(changes, ""))
    _tell_place(place, found)
    _tell_next([*found.steps, *_after(enabled, manager, now=now)])


def put_in(
    changes: Sequence[installing.Change], manager: Systemctl, *, start: Sequence[str]
) -> None:
    """Write units, and have systemd read them, and start those that are to be started.

    Raises:
        FatalError: a file cannot be written, or systemd does not do as it is told.
    """
    installing.write(changes)
    if manager.listens:
        manager.reload()
        if start:
            manager.start(start)


@systemd.command()
@_unit_dir_option
@click.option("--force", is_flag=True, help="Remove files that a person has changed, too.")
@click.option("-n", "--dry-run", is_flag=True, help="Only show what would be removed.")
def uninstall(*, unit_dir: Path, force: bool, dry_run: bool) -> None:
    """Stop, disable and remove the units that were installed by this command, and no others.

    Recordings, catalog, settings and keys stay.
    """
    files = installing.installed(unit_dir)
    kept = [] if force else [file for file in files if installing.is_changed(file)]
    for file in kept:
        click.echo(f"note: {file} was changed since, and stays; --force removes it", err=True)
    going = [file for file in files if file not in kept]
    if dry_run:
        for file in going:
            click.echo(f"would remove {file}")
        return
    manager = Systemctl(unit_dir)
    take_out(going, manager)
    for file in going:
        click.echo(f"removed {file}")
    if going and manager.looks and not manager.listens:
        _tell_next([_RELOAD])


def take_out(going: Sequence[Path], manager: Systemctl) -> None:
    """Stop, disable and remove units.

    Raises:
        FatalError: a file cannot be removed, or systemd does not do as it is told.
    """
    # A template is not started itself, and a drop-in is no unit.
    named = [file.name for file in going if file.suffix != ".conf" and "@" not in file.name]
    if manager.listens and named:
        manager.end(named)
    installing.remove(going)
    if manager.listens:
        manager.reload()


def _place(
    settings: Settings, *, user: str, credentials: Path | None, encrypted: bool
) -> units.Place:
    config = Path(settings.source).resolve()
    folder = (credentials or config.parent).absolute()
    catalog = settings.catalog_file
    return units.Place(
        program=_program(),
        config=config,
        credentials=folder,
        root=settings.archive.root,
        state=settings.queue.state,
        catalog=settings.queue.state if catalog is None else catalog.parent,
        user=user,
        accounts=tuple(settings.accounts),
        encrypted=encrypted,
        secrets=frozenset(file.name for file in _listed(folder)),
        python=Path(sys.base_prefix).resolve(),
    )


def _program() -> Path:
    """Return the command as it is installed beside the Python that runs it."""
    for found in (Path(sys.executable).with_name("callvault"), Path(sys.argv[0]).absolute()):
        if found.name == "callvault" and os.access(found, os.X_OK):
            return found
    raise FatalError(
        "the program 'callvault' is not where its Python is",
        hint="install callvault into a virtual environment, with make install, pipx or uv tool",
    )


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:  # not made yet, or not ours to read
        return []


def _counted(changes: Sequence[installing.Change], would: str) -> str:
    needed = sum(change.is_needed for change in changes)
    folder = changes[-1].path.parent.parent
    return f"{needed} files {would}written to {folder}, {len(changes) - needed} are as they should"


def _after(enabled: Sequence[str], manager: Systemctl, *, now: bool) -> list[Step]:
    """Return the commands that start what was written, as far as that was not done."""
    if not manager.looks or (now and manager.listens):
        return []
    reload = [] if manager.listens else [_RELOAD]
    return [*reload, Step(f"systemctl enable --now {' '.join(enabled)}", "")]


def _tell_place(place: units.Place, found: Lacking) -> None:
    """Say what about the places of things is not as it should be."""
    for key, value in units.loosened(place).items():
        click.echo(f"note: {key}={value}, since some path lies there; better move it", err=True)
    for text in found.misplaced:
        click.echo(f"note: {text}; services will not start before it is moved", err=True)


def _tell_next(steps: Sequence[Step]) -> None:
    if steps:
        click.echo("next, as root:", err=True)
    for step in steps:
        click.echo(f"  {step.command}{f'   # {step.why}' if step.why else ''}", err=True)
