"""``callvault systemd``: what it writes, leaves alone and removes."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from click.testing import CliRunner

from archive.errors import FatalError, InputError
from worker.cli import cli
from worker.commands.systemd import put_in, take_out
from worker.installing import plan, shipped
from worker.systemctl import Systemctl

if TYPE_CHECKING:
    from click.testing import Result

ROOT: Final = Path(__file__).parents[2]
WORKER: Final = "callvault-worker.service"


class Machine:
    """A settings file, and a folder that stands for that of the units."""

    def __init__(self, folder: Path) -> None:
        self.units = folder / "units"
        self.config = folder / "config.toml"
        self.config.write_text(
            '[accounts.main]\nsid = "acme1"\n[archive]\nroot = "/srv/callvault"\n'
            '[queue]\nstate = "/var/lib/callvault"\n'
            '[catalog]\nurl = "sqlite:////var/lib/callvault/catalog.db"\n',
            encoding="utf-8",
        )
        self.config.chmod(0o640)

    def run(self, *words: str) -> Result:
        """Run a command on this folder of units."""
        line = ["--config", str(self.config), "systemd", *words, "--unit-dir", str(self.units)]
        return CliRunner().invoke(cli, line, catch_exceptions=True)

    def good(self, *words: str) -> str:
        """Run a command that has to end well; return what it printed."""
        done = self.run(*words)
        assert done.exit_code == 0, (done.output, done.exception)
        return done.output

    def files(self) -> dict[str, str]:
        """Return what is in the folder."""
        found = [path for path in self.units.rglob("*") if path.is_file()]
        return {str(path.relative_to(self.units)): path.read_text() for path in found}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Return a machine without units."""
    return Machine(tmp_path)


def test_a_dry_run_shows_all_and_writes_nothing(machine: Machine) -> None:
    """As a difference, with this machine's paths, and what would be left to do."""
    said = machine.good("install", "--dry-run")
    assert f"+++ {machine.units}/{WORKER}" in said
    assert f"+ExecStart={Path(sys.executable).with_name('callvault')} --config " in said
    assert f"+LoadCredential=exotel-api-key:{machine.config.parent}/exotel-api-key" in said
    assert "systemd-sysusers" in said
    assert f"chgrp callvault {machine.config}" in said
    assert f"install -D -m 0600 /dev/stdin {machine.config.parent}/exotel-api-token" in said
    assert not machine.units.exists()


def test_what_is_installed_can_be_read_by_all_and_is_installed_once(machine: Machine) -> None:
    """A second run has nothing to write; a change of the settings has what follows from it."""
    machine.good("install")
    assert "nightly" not in " ".join(machine.files())
    assert {0o644} == {path.stat().st_mode & 0o777 for path in machine.units.rglob("*.*ce")}
    assert "0 files written" in machine.good("install")
    machine.config.write_text(
        machine.config.read_text(encoding="utf-8").replace("/srv/callvault", "/data/calls"),
        encoding="utf-8",
    )
    # Worker, verification and housekeeping are about the recordings.
    assert "3 files written" in machine.good("install")
    assert "ReadWritePaths=/data/calls\n" in machine.files()[WORKER]


def test_variables_of_the_shell_are_not_taken_for_settings(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The services will not have them."""
    monkeypatch.setenv("CALLVAULT_ARCHIVE_ROOT", "/elsewhere")
    machine.good("install")
    assert "/elsewhere" not in "".join(machine.files().values())


@pytest.mark.parametrize("foreign", [False, True])
def test_what_a_person_has_written_or_changed_is_left_alone(
    machine: Machine,
    foreign: bool,  # noqa: FBT001 - one of two cases
) -> None:
    """Nothing at all is written then, unless it is forced."""
    if foreign:
        machine.units.mkdir()
        (machine.units / WORKER).write_text(shipped()[WORKER], encoding="utf-8")
    else:
        machine.good("install")
        with (machine.units / WORKER).open("a", encoding="utf-8") as file:
            file.write("MemoryMax=2G\n")
    before = machine.files()
    refused = machine.run("install", "--only", "worker,nightly")
    assert isinstance(refused.exception, InputError)
    assert str(machine.units / WORKER) in refused.exception.message
    assert before == machine.files()
    machine.good("install", "--force", "--only", "worker,nightly")
    assert "MemoryMax=2G" not in machine.files()[WORKER]
    assert "callvault-nightly.timer" in machine.files()


def test_only_what_was_installed_is_removed(machine: Machine) -> None:
    """Not a person's own unit, nor one of ours that a person changed; forced, that one too."""
    machine.good("install")
    own = machine.units / "callvault-own.service"
    own.write_text("[Service]\nExecStart=/bin/true\n", encoding="utf-8")
    changed = machine.units / WORKER
    changed.write_text(changed.read_text() + "# mine\n", encoding="utf-8")
    said = machine.good("uninstall", "--dry-run")
    assert f"would remove {machine.units}/callvault.target" in said
    assert "callvault-own" not in said
    machine.good("uninstall")
    assert {WORKER, own.name} == set(machine.files())
    assert not (machine.units / "callvault-.service.d").exists()
    machine.good("uninstall", "--force")
    assert {own.name} == set(machine.files())


def test_one_profile_is_the_nights_alone(machine: Machine) -> None:
    """Timers and what they start."""
    machine.good("install", "--nightly")
    assert WORKER not in machine.files()
    assert {"callvault-nightly.timer", "callvault-report.timer"} <= set(machine.files())


def test_a_part_that_is_none_and_a_start_elsewhere_are_mistakes(machine: Machine) -> None:
    """Units in a folder that systemd does not read cannot be started."""
    for words in (("install", "--only", "worker,wbe"), ("install", "--now")):
        assert isinstance(machine.run(*words).exception, InputError)
    assert "exclude each other" in machine.run("install", "--always", "--nightly").output
    assert not machine.units.exists()


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """The file in which what a stand-in for systemctl was told stands; it fails for ``broken``."""
    program = tmp_path / "systemctl"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/told\n'
        'case "$*" in *broken*) echo "no such\nunit" >&2; exit 5;; esac\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    return tmp_path / "told"


def manager(told: Path, *, booted: bool) -> Systemctl:
    """Return systemd as it is told, looking into the folder of the units."""
    folder = told.parent / "units"
    return Systemctl(
        folder,
        looks_in=folder,
        booted=told.parent if booted else told.parent / "nowhere",
        program=str(told.with_name("systemctl")),
    )


def test_systemd_reads_new_units_and_starts_what_it_is_told_to(told: Path) -> None:
    """Only with --now; and it lets go of units before their files go."""
    folder = told.parent / "units"
    runs = manager(told, booted=True)
    changes = plan(folder, {WORKER: "a\n", "callvault-.service.d/hardening.conf": "b\n"})
    put_in(changes, runs, start=[])
    put_in(changes, runs, start=[WORKER])
    take_out([change.path for change in changes], runs)
    assert told.read_text(encoding="utf-8").splitlines() == [
        "daemon-reload",
        "daemon-reload",
        f"enable --now {WORKER}",
        f"disable --now {WORKER}",
        "daemon-reload",
    ]
    assert list(folder.iterdir()) == []


def test_a_machine_without_systemd_is_told_nothing(told: Path) -> None:
    """A container, or an image that is being made: the files are written all the same."""
    changes = plan(told.parent / "units", {WORKER: "a\n"})
    put_in(changes, manager(told, booted=False), start=[WORKER])
    assert not told.exists()
    assert changes[0].path.exists()


def test_what_systemd_says_against_it_is_told_on_one_line(told: Path) -> None:
    """With the exit code of a thing that somebody has to change."""
    with pytest.raises(FatalError) as raised:
        manager(told, booted=True).start(["broken.service"])
    assert raised.value.message.endswith("systemctl enable: no such unit")


def test_a_folder_that_cannot_be_written_to_is_told(machine: Machine) -> None:
    """Without a traceback."""
    machine.units = machine.config / "units"
    assert isinstance(machine.run("install").exception, FatalError)


def test_the_wheel_has_the_units(tmp_path: Path) -> None:
    """As they are in the checkout: an installation by pipx has no other."""
    line = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(line, cwd=ROOT, check=True, capture_output=True)  # noqa: S603 - the build backend
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        found = {
            name.removeprefix("worker/deploy/systemd/"): packed.read(name).decode()
            for name in packed.namelist()
            if name.startswith("worker/deploy/systemd/")
        }
        assert "worker/deploy/sysusers.d/callvault.conf" in packed.namelist()
    assert shipped() == found


@pytest.mark.parametrize("profile", ["--nightly", "--always"])
def test_parts_and_a_profile_exclude_each_other(machine: Machine, profile: str) -> None:
    """Nothing is written: one of the two would be passed over."""
    done = machine.run("install", "--only", "web", profile)
    assert done.exit_code == 2
    assert "leave out --always and --nightly" in done.output
    assert machine.files() == {}
