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
from archive.timings import START_S, STOP_GRACE_S, WATCHDOG_S
from worker.cli import cli
from worker.secrets import credentials_for, webhook_secret_for
from worker.valkey import socket_path

_FOLDER: Final = Path(__file__).parents[2] / "deploy" / "systemd"
_ASKING: Final = (
    "callvault-worker.service",
    "callvault-nightly.service",
    "callvault-poller.service",
    "callvault-reconcile.service",
)
"""The services that ask the provider."""
_TELLING: Final = ("callvault-report.service", "callvault-failed@.service")
"""Those that send to a person."""
_SERVICES: Final = (
    *_ASKING,
    "callvault-web.service",
    "callvault-verify.service",
    "callvault-housekeeping.service",
    *_TELLING,
)
_LASTING: Final = (
    "callvault-worker.service",
    "callvault-poller.service",
    "callvault-web.service",
)
_WRITING: Final = (
    "callvault-worker.service",
    "callvault-nightly.service",
    "callvault-housekeeping.service",
)
_TIMERS: Final = tuple(
    f"callvault-{name}.timer"
    for name in ("nightly", "reconcile", "verify", "housekeeping", "report")
)
_HARDENING: Final = "callvault-.service.d/hardening.conf"
_UNITS: Final = (*_SERVICES, *_TIMERS, "callvault.target")
_EXPOSURE: Final = 1.5
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
    for unit in (*_UNITS, _HARDENING):
        text = (_FOLDER / unit).read_text(encoding="utf-8")
        (tmp_path / unit).parent.mkdir(exist_ok=True)
        (tmp_path / unit).write_text(text.replace(_INSTALLED, sys.executable), encoding="utf-8")
    return tmp_path


def test_every_unit_is_looked_at() -> None:
    """No unit is shipped that these tests do not know."""
    files = [str(path.relative_to(_FOLDER)) for path in _FOLDER.rglob("*") if path.is_file()]
    assert sorted(files) == sorted([*_UNITS, _HARDENING])


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


@needs_systemd
@pytest.mark.parametrize("unit", _SERVICES)
def test_a_service_may_do_little(units: Path, unit: str) -> None:
    """``systemd-analyze security`` finds an exposure of 1.5 at most, the drop-in included."""
    assert _exposure(units / unit) <= _EXPOSURE


@needs_systemd
def test_what_services_may_not_do_stands_in_the_drop_in(units: Path) -> None:
    """The figure means something: without that file it is far worse."""
    (units / _HARDENING).unlink()
    assert _exposure(units / "callvault-worker.service") > 5


def _exposure(unit: Path) -> float:
    assert _ANALYSE is not None
    done = subprocess.run(  # noqa: S603 - systemd's own tool on a file of ours
        [_ANALYSE, "security", "--offline=yes", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"Overall exposure level for .*?: ([0-9.]+) ", done.stdout)
    assert found, done.stdout
    return float(found[1])


@pytest.mark.parametrize("unit", _LASTING)
def test_a_lasting_service_tells_of_itself_in_the_times_of_the_code(unit: str) -> None:
    """It is ready when it says so, and is started again where its work hangs."""
    told = [_values(unit, key) for key in ("Type", "NotifyAccess", "TimeoutStartSec")]
    assert [["notify"], ["main"], [str(START_S)]] == told
    assert [str(WATCHDOG_S)] == _values(unit, "WatchdogSec")
    assert _values(unit, "Restart") == ["on-failure"]


@pytest.mark.parametrize("unit", _SERVICES)
def test_a_failure_is_told_and_telling_of_it_is_not_told_of(unit: str) -> None:
    """Each service names who tells, by the whole name of the unit; a circle has no end."""
    expected = [] if unit == "callvault-failed@.service" else ["callvault-failed@%n.service"]
    assert expected == _values(unit, "OnFailure")


@pytest.mark.parametrize("unit", [unit for unit in _UNITS if unit != "callvault.target"])
def test_the_target_ties_all_together(unit: str) -> None:
    """What is enabled starts with it, and all of it stops with it."""
    is_template = "@" in unit
    assert ([] if is_template else ["callvault.target"]) == _values(unit, "PartOf")
    begins = unit.endswith(".timer") or unit in _LASTING
    assert (["callvault.target"] if begins else []) == _values(unit, "WantedBy")


@pytest.mark.parametrize("timer", _TIMERS)
def test_a_night_that_was_missed_is_made_up_for(timer: str) -> None:
    """And the service that a timer starts is there."""
    assert _values(timer, "Persistent") == ["true"]
    assert timer.replace(".timer", ".service") in _SERVICES


@pytest.mark.parametrize("unit", _SERVICES)
def test_each_service_is_bounded(unit: str) -> None:
    """In files, processes and memory; and no dump of memory, with keys in it, is left."""
    for key in ("LimitNOFILE", "TasksMax", "MemoryMax"):
        assert len(_values(unit, key)) == 1, key
    assert _values(_HARDENING, "LimitCORE") == ["0"]


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
    assert not keys & {"Environment", "PassEnvironment", "EnvironmentFile"}
    # An empty line stands for a credential that is not there.
    assert all(value.endswith(":\\n") for value in _values(unit, "SetCredential"))
    assert not re.search(r"EXOTEL_API|://[^/\s]*@", (_FOLDER / unit).read_text(encoding="utf-8"))


@pytest.mark.parametrize("unit", [*_ASKING, "callvault-web.service"])
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
    worker, *others = (_values(unit, key) for unit in _ASKING)
    assert worker
    assert all(worker == other for other in others)
    # Who asks the provider nothing has other secrets, or none.
    for unit in set(_SERVICES) - set(_ASKING):
        assert (worker == _values(unit, key)) == (key != "LoadCredential"), unit


@pytest.mark.parametrize("unit", _TELLING)
def test_who_tells_people_gets_what_that_takes_where_it_is_there(unit: str) -> None:
    """Each credential may be missing: then the empty one is taken, which is none."""
    given = [value.partition(":")[0] for value in _values(unit, "LoadCredential")]
    assert given == ["smtp-password", "report-webhook-url", "report-healthchecks-url"]
    assert given == [value.partition(":")[0] for value in _values(unit, "SetCredential")]


def test_only_who_archives_may_write_recordings() -> None:
    """And who tidies up after them; the others need the catalog's folder and no other."""
    written = {unit: _values(unit, "ReadWritePaths") for unit in _SERVICES}
    assert {unit for unit, paths in written.items() if paths} == set(_WRITING)
    assert all(written[unit] == ["/srv/callvault"] for unit in _WRITING)


def test_a_reconciliation_is_begun_again_only_where_that_can_help() -> None:
    """The provider that does not answer may answer later; nothing else mends itself."""
    (never,) = _values("callvault-reconcile.service", "RestartPreventExitStatus")
    helps = {Exit.COMPLETE, Exit.WORK_REMAINS}
    assert {int(code) for code in never.split()} == set(Exit) - helps - {Exit.PERMANENT_LOSSES}


def test_the_queue_of_the_units_does_not_lie_in_tmp() -> None:
    """With ``PrivateTmp`` each unit has a /tmp of its own: a socket there would not be shared."""
    (state,) = _values("callvault-worker.service", "WorkingDirectory")
    assert socket_path(Path(state)).is_relative_to(state)
