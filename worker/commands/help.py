"""``callvault help``."""

from __future__ import annotations

import click

from archive.errors import Exit
from worker.completion import complete_command


@click.command()
@click.argument("names", nargs=-1, metavar="[COMMAND]...", shell_complete=complete_command)
@click.pass_context
def help(ctx: click.Context, names: tuple[str, ...]) -> int:  # noqa: A001 - the command's name
    """Show the help of a command, or without one of all."""
    shown = ctx.find_root()
    for name in names:
        group = shown.command
        found = group.get_command(shown, name) if isinstance(group, click.Group) else None
        if found is None:
            ctx.fail(f"there is no command {' '.join(names)!r}")
        shown = click.Context(found, info_name=name, parent=shown)
    click.echo(shown.get_help())
    return Exit.COMPLETE
