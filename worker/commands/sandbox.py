"""``callvault sandbox``: hands over to the stand-in provider, which shares nothing with us."""

from __future__ import annotations

import os
import sys

import click


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def sandbox(arguments: tuple[str, ...]) -> None:
    """Run a stand-in for the provider. Its own options: callvault sandbox --help."""
    # Replaces this process: the sandbox gets its signals and its exit code is ours.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "sandbox", *arguments])  # noqa: S606
