"""The systemd units: sound, in step with the code's times and names, and without secrets."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner

from archive.accounts import Account, Credentials
from archive.errors import Exit
from archive.timings import STOP_GRACE_S
from worker.cli import cli
from worker.secrets import credentials_for, webhook_secret_for
from worker.valkey import socket_path

_FOLDER: Final = Path(__file__).parents[2] / "deploy" / "systemd"
_SERVICES: Final = (
    "callvault-worker.service",
    "callvault-nightly.service",
    "callvault-poller.service",
    "callvault-reconcile.service",
    "callvault-web.service",
)
_UNITS: Final = (*_SERVICES, "callvault-nightly.timer", "callvault-reconcile.timer")
_INSTALLED: Final = "/opt/callvault/bin/callvault"
_ANALYSE: Final = shutil.which("systemd-analyze")

needs_systemd = pytest.mark.skipif(_ANALYSE is None, reason="there is no systemd-analyze here")


def _settings(unit: str) -> list[tuple[str, str]]:
    """Return a unit's keys and values in order; a key may come several times."""
    lines = (_FOLDER / unit).read_text(encoding="utf-8").splitlines()
    return [
        (key, value)
        for line in lines
        if "=" in line[1:] and not line.startswith(("#", ";", "["))
        for key, _, value in [line.partition("=")]
    ]


def _values(unit: str, key: str) -> list[str]:
    return [value for name, value in _settings(unit) if name == key]


def _verify(folder: Path, unit: str) -> subprocess.CompletedProcess[str]:
    assert _ANALYSE is not None
    return subprocess.run(  # noqa: S603 - systemd's own tool on a file of ours
        [_ANALYSE, "verify", str(folder / unit)], capture_output=True, text=True, check=False
    )


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """A copy of the units that starts a program which is here: verify looks for it."""
    for unit in _UNITS:
        text = (_FOLDER / unit).read_text(encoding="utf-8")
        (tmp_path / unit).write_text(text.replace(_INSTALLED, sys.executable), encoding="utf-8")
    return tmp_path


def test_every_unit_is_looked_at() -> None:
    """No unit is shipped that these tests do not know."""
    assert sorted(path.name for path in _FOLDER.iterdir()) == sorted(_UNITS)


@needs_systemd
@pytest.mark.parametrize("unit", _UNITS)
def test_systemd_has_nothing_to_say_about_the_unit(units: Path, unit: str) -> None:
    """``systemd-analyze verify`` passes in silence."""
    done = _verify(units, unit)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_systemd
def test_systemd_would_say_what_is_wrong(units: Path) -> None:
    """The silence means something: a key that systemd does not know breaks it."""
    unit = units / "callvault-worker.service"
    text = unit.read_text(encoding="utf-8")
    unit.write_text(text.replace("KillMode=", "KillMood="), encoding="utf-8")
    assert "KillMood" in _verify(units, unit.name).stderr


@pytest.mark.parametrize("unit", _SERVICES)
def test_the_stop_has_the_time_that_the_code_counts_on(unit: str) -> None:
    """``TimeoutStopSec`` is the stop grace of `archive.timings`."""
    assert _values(unit, "TimeoutStopSec") == [str(STOP_GRACE_S)]


@pytest.mark.parametrize("unit", _SERVICES)
def test_sigterm_reaches_the_supervisor_alone(unit: str) -> None:
    """The embedded queue's server must outlive the workers that need it to give work back."""
    assert _values(unit, "KillMode") == ["mixed"]


@pytest.mark.parametrize("unit", _SERVICES)
def test_the_command_is_one_that_callvault_has(unit: str) -> None:
    """Every ``ExecStart=`` is taken by the command line, options included."""
    commands = [shlex.split(line) for line in _values(unit, "ExecStart")]
    assert commands
    for program, *arguments in commands:
        assert program == _INSTALLED
        done = CliRunner().invoke(cli, [*arguments, "--help"])
        assert done.exit_code == 0, done.output


@pytest.mark.parametrize("unit", _UNITS)
def test_a_unit_holds_no_secret(unit: str) -> None:
    """Units can be read by everybody: no variable, no literal credential, no ``EXOTEL_*``."""
    keys = {key for key, _ in _settings(unit)}
    assert not keys & {"Environment", "SetCredential", "PassEnvironment", "EnvironmentFile"}
    assert not re.search(r"EXOTEL_API|://[^/\s]*@", (_FOLDER / unit).read_text(encoding="utf-8"))


@pytest.mark.parametrize("unit", _SERVICES)
def test_the_credentials_are_found_under_the_names_that_the_unit_gives(
    unit: str, tmp_path: Path
) -> None:
    """What ``LoadCredential=`` provides is all that `worker.secrets` looks for."""
    for line in _values(unit, "LoadCredential"):
        name, _, source = line.partition(":")
        assert source == f"/etc/callvault/{name}"
        (tmp_path / name).write_text(
            f"{'the-' if 'webhook' in name else 'the '}{name}\n", encoding="utf-8"
        )
    account = Account(name="main", sid="acme1")
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    if unit == "callvault-web.service":
        secret = webhook_secret_for(account, environment, only_account=True)
        assert secret == "the-exotel-webhook-secret"
        return
    found = credentials_for(account, environment, only_account=True)
    assert found == Credentials("the exotel-api-key", "the exotel-api-token")


def test_the_night_is_begun_again_only_where_that_can_help() -> None:
    """Exit 5 leads to another run; every other failure stands, and 6 is seen as one."""
    (never,) = _values("callvault-nightly.service", "RestartPreventExitStatus")
    others = set(Exit) - {Exit.COMPLETE, Exit.WORK_REMAINS}
    assert {int(code) for code in never.split()} == others
    assert _values("callvault-nightly.service", "Restart") == ["on-failure"]
    assert _values("callvault-nightly.service", "SuccessExitStatus") == []


def test_a_mistake_in_the_settings_starts_no_worker_twice() -> None:
    """The worker service is not started again after a usage error."""
    prevented = _values("callvault-worker.service", "RestartPreventExitStatus")
    assert prevented == [str(int(Exit.USAGE))]


@pytest.mark.parametrize("key", ["User", "StateDirectory", "WorkingDirectory", "LoadCredential"])
def test_all_services_work_in_the_same_place(key: str) -> None:
    """They attach to the worker's queue, so they have to find the same folders."""
    asking = [unit for unit in _SERVICES if unit != "callvault-web.service"]
    worker, *others = (_values(unit, key) for unit in asking)
    assert worker
    assert all(worker == other for other in others)
    # The webhook asks the provider nothing, so it has another secret.
    web = _values("callvault-web.service", key)
    assert (worker == web) == (key != "LoadCredential")


def test_only_who_archives_may_write_recordings() -> None:
    """Who only asks for calls needs the catalog's folder and no other."""
    written = {unit: _values(unit, "ReadWritePaths") for unit in _SERVICES}
    assert [unit for unit, paths in written.items() if paths] == list(_SERVICES[:2])
    assert written[_SERVICES[0]] == written[_SERVICES[1]]


def test_a_reconciliation_is_begun_again_only_where_that_can_help() -> None:
    """The provider that does not answer may answer later; nothing else mends itself."""
    (never,) = _values("callvault-reconcile.service", "RestartPreventExitStatus")
    helps = {Exit.COMPLETE, Exit.WORK_REMAINS}
    assert {int(code) for code in never.split()} == set(Exit) - helps - {Exit.PERMANENT_LOSSES}


def test_the_queue_of_the_units_does_not_lie_in_tmp() -> None:
    """With ``PrivateTmp`` each unit has a /tmp of its own: a socket there would not be shared."""
    (state,) = _values("callvault-worker.service", "WorkingDirectory")
    assert socket_path(Path(state)).is_relative_to(state)
