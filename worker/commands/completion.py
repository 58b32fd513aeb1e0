"""``callvault completion``: click's own completion, made easy to switch on."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

from archive.errors import Exit

VARIABLE: Final = "_CALLVAULT_COMPLETE"
"""What a shell's script sets when it asks; click derives it from the command's name."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> int:
    """Print the script that lets a shell complete commands, options and values.

    \b
    bash: callvault completion bash > ~/.local/share/bash-completion/completions/callvault
    zsh:  callvault completion zsh > "${fpath[1]}/_callvault"
    fish: callvault completion fish > ~/.config/fish/completions/callvault.fish
    """  # noqa: D301 - click's mark for lines that are kept
    kind = get_completion_class(shell)
    assert kind is not None
    # What click's class prints first looks at the shell that is installed; the text needs none.
    script = kind(ctx.find_root().command, {}, "callvault", VARIABLE)
    click.echo(script.source_template % script.source_vars())
    return Exit.COMPLETE
