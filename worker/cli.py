"""The command line: ``callvault [--config FILE] COMMAND``."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from archive.errors import CallvaultError
from archive.layout import PRIVATE_UMASK
from worker import endings
from worker.screen import colour_rule

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
    "locate": ("locate", "Say on which host, and where, the recordings of calls lie."),
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
    "init": ("init", "Write settings for an account, and see whether its key works."),
    "completion": ("completion", "Print what makes a shell complete commands and values."),
    "sandbox": ("sandbox", "Run a stand-in for the provider, to try callvault on."),
    "help": ("help", "Show the help of a command."),
}
_PURPOSES: Final = {
    "Get calls": ("enqueue", "poll", "reconcile", "web"),
    "Archive": ("work", "run", "pause", "resume"),
    "Look": ("status", "report", "find", "locate", "explain", "metrics", "alert"),
    "Mend and keep": ("retry", "verify", "adopt", "rebuild", "catalog", "purge"),
    "Set up": ("init", "doctor", "systemd", "completion", "sandbox", "help"),
}
"""What --help puts together. A command that is in none of them is shown below them."""


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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        is_option = args[0].startswith("-")
        if args[0] not in _COMMANDS and not is_option and not ctx.resilient_parsing:
            ctx.fail(f"there is no command {args[0]!r}{_meant(args[0])}")
        return super().resolve_command(ctx, args)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for purpose, names in _purposes().items():
            with formatter.section(purpose):
                formatter.write_dl([(name, _COMMANDS[name][1]) for name in names])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        # As click does it, but without loading every command for its line of help.
        commands = [
            CompletionItem(name, help=line)
            for name, (_, line) in _COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as click has it
        try:
            return super().invoke(ctx)
        except CallvaultError as error:
            if ctx.params["debug"]:
                endings.show_trace(error)
            raise
        except BrokenPipeError as error:
            if endings.reader_is_gone():
                raise
            # click would end quietly, whatever pipe it was.
            raise RuntimeError("a pipe of callvault's own broke") from error


def _purposes() -> dict[str, list[str]]:
    named = {name for names in _PURPOSES.values() for name in names}
    others = [name for name in _COMMANDS if name not in named]
    found = {purpose: list(names) for purpose, names in _PURPOSES.items()}
    return {**found, "More": others} if others else found


def _meant(typed: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only for who mistyped

    near = get_close_matches(typed, _COMMANDS, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


def _say_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - as click calls it
    if not wanted or ctx.resilient_parsing:
        return
    from worker.version import VERSION  # noqa: PLC0415 - looking it up takes a third of --help

    click.echo(f"callvault, version {VERSION}")
    ctx.exit()


@click.group(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 complete, 1 unexpected, 2 usage, 5 work remains that a later run can "
    "finish, 6 something was lost or failed in this run, 7 fatal (credentials, disk, queue or "
    "catalog out of reach).",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="The settings file. Default: $CALLVAULT_CONFIG, ./config.toml, "
    "/etc/callvault/config.toml.",
)
@click.option("--debug", is_flag=True, help="Show where an error comes from, with its causes.")
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_say_version,
    help="Show the version and exit.",
)
@click.pass_context
def cli(ctx: click.Context, config: Path | None, *, debug: bool) -> None:
    """Archive Exotel call recordings, verified, before the provider deletes them."""
    ctx.obj = config
    ctx.color = colour_rule(os.environ)
    sys.excepthook = endings.trace_unexpected if debug else endings.say_unexpected


def main() -> None:
    """Run the command line; errors that are ours end it with a message, a hint and a code."""
    os.umask(PRIVATE_UMASK)
    endings.prepare_streams()
    try:
        code = cli.main(prog_name="callvault", standalone_mode=False)
        sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001 - what is not known there is raised again
        code = _said(error)
    sys.exit(code if isinstance(code, int) else 0)


def _said(error: BaseException) -> int:
    try:
        return endings.code_of(error)
    except BrokenPipeError as broken:  # nobody read the message either
        return endings.code_of(broken)
