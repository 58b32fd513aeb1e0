"""`callvault doctor`, the real command: on what is well, and with each of several things wrong."""

from __future__ import annotations

import base64
import json
import socket
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.acceptance.test_disk import disk_of
from tests.acceptance.vault import Vault, until
from tests.provider import KEY, TOKEN, running_provider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.acceptance.vault import Done

_FIELDS: Final = ["check", "group", "account", "result", "said", "do", "fatal"]
_GROUPS: Final = ["settings", "provider", "queue", "catalog", "disk", "recordings", "server"]
_MEASURED: Final = {"flush", "flush-state", "latency", "days-left", "space"}
"""What says more of the machine that runs the tests."""
_WRONG: Final = "wrong-token-5d21f0"


def _lines(done: Done) -> dict[str, dict[str, Any]]:
    """Return the lines of ``--json`` by their checks."""
    assert "Traceback" not in done.out + done.err
    lines = json.loads(done.out)
    assert all(list(line) == _FIELDS for line in lines)
    found = {line["check"]: line for line in lines}
    assert len(found) == len(lines)
    return found


def _failed(done: Done) -> dict[str, str]:
    """Return what to do about each check that failed."""
    lines = _lines(done).values()
    return {line["check"]: line["do"] for line in lines if line["result"] == "failed"}


@pytest.fixture(scope="module")
def archived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    """A vault with 20 archived calls, which the tests of this module share."""
    folder = tmp_path_factory.mktemp("doctor")
    options = ("--write-cdr", str(folder / "calls.csv"), "--rate-limit", "0", "--bytes", "20KB")
    with running_provider(*options, "--calls", "20", "--mix", "clean") as provider:
        vault = Vault(folder, provider)
        vault.good("enqueue", "cdr", "calls.csv")
        vault.good("work", "--drain")
        yield vault
        vault.end_queue()


@pytest.fixture
def vault(archived: Vault) -> Vault:
    """The same, with its usual settings and nothing wrong."""
    assert archived.provider is not None
    archived.provider.heal()
    archived.configure()
    return archived


def _kept(vault: Vault) -> dict[str, int]:
    """Return the files of archive and state with their lengths, but for SQLite's own two."""
    found = [path for top in (vault.root, vault.catalog.parent) for path in top.rglob("*")]
    plain = [path for path in found if path.is_file() and path.name[-4:] not in {"-wal", "-shm"}]
    return {str(path): path.stat().st_size for path in plain}


def test_what_is_well_passes_and_nothing_is_changed(vault: Vault) -> None:
    """With a real recording fetched and compared; nothing is written to archive or catalog.

    And everything that can be looked at offline is, without a request.
    """
    before = (vault.recordings(), vault.states(), _kept(vault))
    done = vault.run("doctor", "--json")
    assert done.code == 0, done
    lines = _lines(done)
    assert list(dict.fromkeys(line["group"] for line in lines.values())) == _GROUPS
    ended = {line["result"] for name, line in lines.items() if name not in _MEASURED}
    assert ended <= {"passed", "skipped"}, lines
    assert "its SHA-256 is the archive's" in lines["recording"]["said"]
    assert (vault.recordings(), vault.states(), _kept(vault)) == before

    assert vault.provider is not None
    vault.provider.reset()
    done = vault.run("doctor", "--offline")
    assert done.code == 0, done
    assert "skipped recording: --offline was given" in done.out
    assert "passed  soundness: " in done.out
    assert vault.provider.stats()["api_requests"] == 0


def test_each_trouble_of_the_provider_is_told_with_what_to_do(vault: Vault) -> None:
    """A key that it refuses, a clock that is off, a host that refuses, a wrong recording."""
    assert vault.provider is not None
    refused = vault.run("doctor", EXOTEL_API_TOKEN=_WRONG)
    assert refused.code == 7, refused
    assert "failed  credentials: " in refused.out
    assert "-> check the key and token" in refused.out

    vault.provider.spoil({"kind": "clock-skew", "where": "listing"})
    apart = vault.run("doctor", "--json")
    assert apart.code == 6, apart
    assert _failed(apart) == {"clock": "set it by NTP: sudo timedatectl set-ntp true"}
    assert "60 min behind" in _lines(apart)["clock"]["said"]

    vault.provider.spoil({"kind": "bad-ip", "where": "hosts"})
    host = vault.run("doctor", "--json")
    assert host.code == 6, host
    assert "public address" in _failed(host)["recording"]

    vault.provider.heal()
    vault.provider.spoil({"kind": "flipped-signed", "where": "hosts"})
    other = vault.run("doctor", "--json")
    assert other.code == 6, other
    assert _failed(other) == {"recording": _failed(other)["recording"]}
    assert "callvault verify" in _failed(other)["recording"]


def test_each_trouble_of_the_machine_is_told_with_what_to_do(vault: Vault) -> None:
    """A catalog that is locked, a disk without room, a key that is missing: no work goes on."""
    with vault.locked():
        locked = vault.run("doctor", "--json", "--offline")
    assert locked.code == 7, locked
    assert list(_failed(locked)) == ["lock"]
    assert _lines(locked)["lock"]["fatal"]

    vault.configure(archive={"min_free": "1000TiB"})
    full = vault.run("doctor", "--json", "--offline", EXOTEL_API_KEY="")
    assert full.code == 7, full
    assert list(_failed(full)) == ["keys", "space"]
    assert "EXOTEL_API_KEY" in _failed(full)["keys"]


def test_wrong_settings_are_told_and_the_rest_is_looked_at(vault: Vault) -> None:
    """All mistakes in one line; what the sound sections allow is run, and the code is 2."""
    vault.configure(archive={"min_free": "much"}, log={"level": "loud"})
    done = vault.run("doctor", "--json")
    assert done.code == 2, done
    lines = _lines(done)
    for word in ("archive.min_free", "log.level"):
        assert word in lines["settings"]["said"]
    assert lines["space"]["said"] == "the settings of [archive] have mistakes"
    results = {name: lines[name]["result"] for name in ("credentials", "queue", "soundness")}
    assert set(results.values()) == {"passed"}, results

    (vault.folder / "config.toml").write_text("[accounts")
    done = vault.run("doctor")
    assert done.code == 2, done
    assert "failed  settings: the settings config.toml are no TOML" in done.out


def test_a_real_disk_without_inodes_or_room(alone: Vault) -> None:
    """A small file system that is full: told as such, and by the trial as well."""
    with disk_of(alone.root, "1M"):
        (alone.root / "ballast").write_bytes(b"\0" * 900_000)
        alone.configure(archive={"min_free": "500KB"})
        done = alone.run("doctor", "--json", "--offline")
    assert done.code == 7, done
    assert {"space", "flush"} <= set(_failed(done))


def test_a_full_disk_under_the_catalog_is_told_with_what_to_do(alone: Vault) -> None:
    """It is another one than that of the recordings."""
    with disk_of(alone.catalog.parent, "8M"):
        alone.good("enqueue", "sids", "0123456789abcdef")
        with pytest.raises(OSError, match="No space left"):
            (alone.catalog.parent / "ballast").write_bytes(b"\0" * 16_000_000)
        done = alone.run("doctor", "--json", "--offline")
    assert done.code == 7, done
    wrong = _failed(done)
    assert {"space-state", "flush-state"} <= set(wrong) <= {"catalog", "space-state", "flush-state"}
    assert wrong["space-state"].startswith("make room")
    assert wrong["flush-state"].startswith("make room")


@pytest.mark.parametrize("holds", ["no database at all\n" * 2000, ""])
def test_a_catalog_that_cannot_be_read_is_told_once(alone: Vault, holds: str) -> None:
    """What looks into it is skipped, and points there."""
    alone.catalog.parent.mkdir(parents=True, exist_ok=True)
    if holds:
        alone.catalog.write_text(holds)
    else:
        alone.catalog.mkdir()
    done = alone.run("doctor", "--json", "--offline")
    assert done.code == 7, done
    lines = _lines(done)
    assert list(_failed(done)) == ["catalog"]
    see = [name for name, line in lines.items() if line["said"].endswith("see catalog")]
    assert {"soundness", "lock", "books", "pauses", "troubles", "days-left", "late"} <= set(see)
    assert {"runs", "night"} <= set(see)


def test_a_provider_that_is_away_costs_no_exit_of_the_key(alone: Vault) -> None:
    """The key is not blamed, and what needs no provider is told as always."""
    done = alone.run("doctor", "--json")
    lines = _lines(done)
    assert done.code == 6, done
    assert lines["provider"]["result"] == "failed"
    assert lines["credentials"]["result"] == "skipped"
    assert lines["queue"]["result"] == "passed"


def test_the_webhook_is_asked_for_without_its_secret(alone: Vault) -> None:
    """Where there is a secret somebody has to listen; from outside it must be ours."""
    secret = "hook-secret-0123456789"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    alone.configure(account={"api_base": "http://127.0.0.1:9"}, web={"port": port})
    hook = f"http://127.0.0.1:{port}/hook/main/{secret}"
    words = ("doctor", "--json", "--webhook-url", hook)
    silent = alone.run(*words, EXOTEL_WEBHOOK_SECRET=secret)
    assert {"webhook", "webhook-url"} <= set(_failed(silent))
    with alone.started("web", EXOTEL_WEBHOOK_SECRET=secret) as web:
        until(lambda: "listening on" in web.said, while_running=web)
        heard = alone.run(*words, EXOTEL_WEBHOOK_SECRET=secret)
    lines = _lines(heard)
    assert lines["webhook"]["result"] == "passed", lines["webhook"]
    assert lines["webhook-url"]["result"] == "passed", lines["webhook-url"]
    assert secret not in silent.out + silent.err + heard.out + heard.err


def test_no_secret_is_in_what_it_says(vault: Vault) -> None:
    """Not where the file holds it, the queue's URL, a proxy's, or the provider repeats it."""
    secrets = {KEY, TOKEN, _WRONG, "redis-word-77", "proxy-word-88"}
    secrets |= {base64.b64encode(f"{KEY}:{word}".encode()).decode() for word in (TOKEN, _WRONG)}
    vault.configure(
        account={"api_key": KEY, "api_token": _WRONG * 5, "timezone": TOKEN},
        queue={"url": "redis://user:redis-word-77@127.0.0.1:9/0"},
        log={"level": KEY},
    )
    environment = {"HTTPS_PROXY": "http://user:proxy-word-88@127.0.0.1:9", "CALLVAULT_X": TOKEN}
    for words in (("doctor",), ("doctor", "--json")):
        done = vault.run(*words, **environment)
        assert done.code == 2, done
        assert [one for one in secrets if one in done.out + done.err] == []
