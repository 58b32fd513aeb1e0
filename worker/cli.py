"""The command line: ``callvault [--config FILE] COMMAND``."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from pathlib import Path
from typing import Final

import click

from archive.errors import CallvaultError, Exit
from archive.layout import PRIVATE_UMASK
from worker.version import VERSION

# Command, the module of `worker.commands` it lives in, and its line of help: a command's module is
# loaded when it is used, so that --help stays quick.
_COMMANDS: Final = {
    "enqueue": ("enqueue", "Make calls known, from CDR exports, Sids or the provider's listing."),
    "poll": ("poll", "Ask the provider for new calls, once or on and on."),
    "reconcile": ("reconcile", "Hold the provider's listing against the catalog."),
    "work": ("work", "Run the workers; with --drain until every known call is settled."),
    "run": ("work", "Everything at once on one machine: take exports in, then work."),
    "web": ("web", "Receive the provider's callbacks; health and metrics."),
    "status": ("report", "Show how many calls stand where."),
    "report": ("report", "Show what is archived, missing and why; as text or a page, or sent."),
    "alert": ("alert", "Send a short text to wherever reports are sent."),
    "metrics": ("metrics", "Tell Prometheus of all processes, once."),
    "doctor": ("doctor", "Check everything that work depends on, and say what to do."),
    "find": ("find", "Find calls and their files, by number, time, state and more."),
    "explain": ("explain", "Tell the story of one call, and what happens next."),
    "retry": ("retry", "Have calls looked at once more that failed, were lost or absent."),
    "verify": ("verify", "Read the archive's files again, and repair what can be repaired."),
    "rebuild": ("rebuild", "Make a new catalog from the archive's files, when it is lost."),
    "adopt": ("adopt", "Take in recordings that were downloaded by other means."),
    "systemd": ("systemd", "Install the systemd units of this machine, or remove them."),
    "catalog": ("catalog", "Tidy the catalog, back it up, check it."),
    "purge": ("purge", "Delete recordings that need not be kept, or must not be."),
    "pause": ("pause", "Hold all work, or that of one account."),
    "resume": ("pause", "Let paused work go on."),
    "sandbox": ("sandbox", "Run a stand-in for the provider, to try callvault on."),
}


class _Lazy(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module = importlib.import_module(f"worker.commands.{_COMMANDS[name][0]}")
        command: click.Command = getattr(module, name)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])


@click.group(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 complete, 1 unexpected, 2 usage, 5 work remains that a later run can "
    "finish, 6 something was lost or failed in this run, 7 fatal (credentials, disk, queue or "
    "catalog out of reach).",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The settings file. Default: $CALLVAULT_CONFIG, ./config.toml, "
    "/etc/callvault/config.toml.",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an unexpected error.")
@click.version_option(VERSION, prog_name="callvault")
@click.pass_context
def cli(ctx: click.Context, config: Path | None, *, debug: bool) -> None:
    """Archive Exotel call recordings, verified, before the provider deletes them."""
    ctx.obj = config
    if not debug:
        sys.excepthook = _say_unexpected


def _say_unexpected(kind: type[BaseException], error: BaseException, _: object) -> None:
    from worker.redact import clean  # noqa: PLC0415 - needed only here, and not by --help

    said = clean(error)
    click.echo(f"callvault: an unexpected error: {kind.__name__}: {said}", err=True)
    click.echo(
        "  hint: this is a fault of callvault's own: report it with what --debug shows", err=True
    )


def main() -> None:
    """Run the command line; errors that are ours end it with a message, a hint and a code."""
    os.umask(PRIVATE_UMASK)
    try:
        code = cli.main(standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        sys.exit(Exit.USAGE)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(128 + 2)
    except CallvaultError as error:
        click.echo(f"callvault: {error.message}", err=True)
        if error.hint:
            click.echo(f"  hint: {error.hint}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EIO}:
            raise
        click.echo(f"callvault: writing the output: {error.strerror}", err=True)
        sys.exit(Exit.FATAL)
    sys.exit(code if isinstance(code, int) else Exit.COMPLETE)
