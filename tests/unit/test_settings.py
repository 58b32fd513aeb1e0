"""The settings: every mistake at once, nothing unknown let pass, the environment above the file."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.accounts import MUMBAI
from archive.errors import Exit, InputError, SettingsError
from archive.retention import Kept
from archive.selection import Rule
from worker.settings import Settings, load_settings
from worker.values import parse_duration, parse_size

ROOT = Path(__file__).parents[2]
LEAST = '[accounts.main]\nsid = "acme1"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The least that a settings file must hold."""
    path = tmp_path / "config.toml"
    path.write_text(LEAST)
    return path


def load(file: Path, more: str = "", **environment: str) -> Settings:
    """Read the file with something added to it."""
    file.write_text(file.read_text() + more)
    variables = {f"CALLVAULT_{name}": value for name, value in environment.items()}
    return load_settings(file, variables)


def mistakes(file: Path, more: str = "", **environment: str) -> list[str]:
    """Return what is wrong."""
    with pytest.raises(SettingsError) as caught:
        load(file, more, **environment)
    return caught.value.mistakes


def test_the_shipped_file_is_sound() -> None:
    """It loads as it is, once the account's sid is written into it."""
    settings = load_settings(ROOT / "config.toml", {})
    assert settings.account(None).sid == "your-account-sid"
    assert settings.archive.root == ROOT / "recordings"


def test_the_defaults_shown_in_the_shipped_file_are_the_defaults(tmp_path: Path) -> None:
    """Each commented key is there and has the value that holds without it."""
    shipped = (ROOT / "config.toml").read_text().splitlines()
    shown = [line.removeprefix("# ") if " = " in line else line for line in shipped]
    plain, full = tmp_path / "plain.toml", tmp_path / "full.toml"
    plain.write_text("\n".join(shipped))
    full.write_text("\n".join(line for line in shown if "storage_hosts" not in line))
    expected, found = load_settings(plain, {}), load_settings(full, {})
    assert full.read_text().count("\n") > 30
    assert (expected.accounts, expected.readiness) == (found.accounts, found.readiness)
    assert (expected.worker, expected.archive, expected.log) == (
        found.worker,
        found.archive,
        found.log,
    )


def test_the_least_there_must_be_is_one_account(file: Path) -> None:
    """Everything else has a default."""
    settings = load(file)
    account = settings.account(None)
    assert (account.name, account.sid, account.retention_days) == ("main", "acme1", 30)
    assert settings.readiness.window == timedelta(minutes=15)
    assert settings.worker.process_count >= 1
    assert settings.queue.url == "embedded"


def test_all_mistakes_are_told_at_once(file: Path) -> None:
    """Each with its key, its value and what is allowed; the exit code is that of wrong usage."""
    more = """
        api_base = "http://api.exotel.com"
        timezone = "Mars/Olympus"
        color = "red"
        [accounts."Upper Case"]
        sid = "x"
        [accounts.second]
        retention_days = 0
        [worker]
        downloads = "many"
        batch = 101
        proceses = 4
        [readiness]
        window = 15
        [archive]
        min_free = "lots"
        root = ""
        [log]
        level = "loud"
        [queue]
        url = "http://localhost"
        [extra]
    """
    with pytest.raises(SettingsError) as caught:
        load(file, more, WORKER_PROCESSES="-1", WORKR_BATCH="5")
    found = dict(line.split(": ", 1) for line in caught.value.mistakes)
    assert sorted(found) == [
        "CALLVAULT_WORKER_PROCESSES = '-1'",
        "CALLVAULT_WORKR_BATCH = '5'",
        "accounts.Upper Case",
        "accounts.main.api_base = 'http://api.exotel.com'",
        "accounts.main.color = 'red'",
        "accounts.main.timezone = 'Mars/Olympus'",
        "accounts.second.retention_days = 0",
        "archive.min_free = 'lots'",
        "archive.root = ''",
        "extra",
        "log.level = 'loud'",
        "queue.url = 'http://localhost'",
        "readiness.window = 15",
        "worker.batch = 101",
        "worker.downloads = 'many'",
        "worker.proceses = 4",
    ]
    assert all(found.values())
    assert "[worker] has processes, downloads, batch" in found["worker.proceses = 4"]
    assert found["worker.batch = 101"] == "a whole number from 1 to 100"
    assert found["readiness.window = 15"].startswith('a duration from "100ms"')
    assert "16 mistakes in the settings" in caught.value.message
    assert str(file) in caught.value.message
    assert caught.value.exit_code is Exit.USAGE


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "accounts: at least one section [accounts.NAME] is needed"),
        ('accounts = "main"', "accounts: sections [accounts.NAME] are expected"),
        ('[accounts]\nsid = "acme1"', "accounts: sections [accounts.NAME] are expected"),
        ("[accounts.main]", "accounts.main.sid: missing"),
        (f"worker = 5\n{LEAST}", "worker = 5: a section is expected: [worker]"),
        (f"{LEAST}[[queue]]", "queue = [{}]: a section is expected: [queue]"),
    ],
)
def test_a_file_of_another_shape_is_told(tmp_path: Path, text: str, words: str) -> None:
    """Also an empty one."""
    path = tmp_path / "config.toml"
    path.write_text(text)
    assert words in mistakes(path)


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("worker", "downloads = 0"),
        ("worker", "downloads = 1.5"),
        ("worker", "downloads = true"),
        ("worker", 'downloads = "32"'),
        ("archive", 'sidecar = "yes"'),
        ("archive", "sidecar = 1"),
        ("archive", "root = 7"),
        ("archive", "min_free = -1"),
        ("archive", "min_free = true"),
        ("archive", f'min_free = "{"9" * 400}"'),
        ("archive", 'root = "~nosuchuser/calls"'),
        ("readiness", 'window = "15 minutes"'),
        ("readiness", 'window = "-1s"'),
        ("readiness", "window = 10:00:00"),
        ("readiness", 'window = "99999999999d"'),
        ("readiness", 'recheck = "0s"'),
        ("catalog", 'url = "mysql://x"'),
        ("catalog", 'url = "sqlite:///"'),
        ("log", "format = []"),
        ("accounts.main", 'recording_hosts = "h.example"'),
        ("accounts.main", 'recording_hosts = ["https://h.example"]'),
        ("accounts.main", 'recording_hosts = ["me@h.example"]'),
        ("accounts.main", 'storage_hosts = ["h.example/*"]'),
        ("accounts.main", "url_validity_minutes = 4"),
        ("accounts.main", "url_validity_minutes = 61"),
        ("accounts.main", "requests_per_minute = 0"),
        ("accounts.main", 'api_base = "api.exotel.com"'),
        ("accounts.main", 'api_base = "https://api.exotel.com/v1"'),
        ("accounts.main", 'api_base = "https://me@api.exotel.com"'),
        ("accounts.main", 'api_base = "https://[::1"'),
        ("accounts.main", 'api_base = "https://api.exotel.com\\n"'),
        ("accounts.main", 'storage_hosts = ["h.example\\n"]'),
        ("queue", 'url = "embedded\\n"'),
        ("catalog", 'url = "sqlite:///c.db\\n"'),
        ("accounts.main", 'name = "other"'),
        ("accounts.main", 'timezone = ""'),
        ("accounts.main", 'timezone = "../etc/passwd"'),
        ("accounts.main", 'timezone = "Asia"'),
    ],
)
def test_a_value_of_a_wrong_form_is_one_mistake(file: Path, section: str, line: str) -> None:
    """Named by its key, and shown."""
    heading = "" if section == "accounts.main" else f"[{section}]\n"
    (mistake,) = mistakes(file, f"{heading}{line}\n")
    assert mistake.startswith(f"{section}.{line.partition(' ')[0]} = ")


def test_an_accounts_sid_is_safe_in_a_url(tmp_path: Path) -> None:
    """It goes into the path of every request."""
    path = tmp_path / "config.toml"
    for sid in ("", "a/b", "../x", "a b", "a?b", "x" * 65, r"acme1\n"):
        path.write_text(f'[accounts.main]\nsid = "{sid}"\n')
        assert len(mistakes(path)) == 1


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("https://api.exotel.com", True),
        (MUMBAI, True),
        ("http://127.0.0.1:8080", True),
        ("http://localhost:8080", True),
        ("http://[::1]:8080", True),
        ("http://api.exotel.com", False),
        ("http://10.0.0.1", False),
        ("http://localhost.evil.example", False),
        ("http://127.0.0.1.evil.example", False),
    ],
)
def test_the_key_goes_over_plain_http_to_this_machine_alone(
    file: Path, base: str, *, expected: bool
) -> None:
    """Anywhere else it has to be https."""
    more = f'api_base = "{base}"\n'
    if expected:
        assert base == load(file, more).account(None).api_base
    else:
        assert "plain http only to this machine" in mistakes(file, more)[0]


def test_the_environment_wins_over_the_file(file: Path) -> None:
    """For every kind of value, each read from its text."""
    settings = load(
        file,
        '[worker]\ndownloads = 5\nbatch = 7\n[archive]\nroot = "in-file"\n',
        WORKER_DOWNLOADS="64",
        ARCHIVE_ROOT="in-environment",
        ARCHIVE_SIDECAR="False",
        ARCHIVE_MIN_FREE="2MB",
        READINESS_WINDOW="90s",
        QUEUE_URL="redis://h:1/0",
        LOG_LEVEL="debug",
        ACCOUNTS_MAIN_SID="acme2",
        ACCOUNTS_MAIN_RECORDING_HOSTS="a.example, b.example:8443/x ,",
    )
    assert (settings.worker.downloads, settings.worker.batch) == (64, 7)
    assert settings.archive.root == file.parent / "in-environment"
    assert (settings.archive.sidecar, settings.archive.min_free) == (False, 2_000_000)
    assert settings.readiness.window == timedelta(seconds=90)
    assert (settings.queue.url, settings.log.level) == ("redis://h:1/0", "debug")
    account = settings.account(None)
    assert (account.sid, account.recording_hosts) == ("acme2", ("a.example", "b.example:8443/x"))


def test_a_mistake_in_the_environment_is_told_by_the_variables_name(file: Path) -> None:
    """Also where the file has the same key rightly, and for misspelt names and accounts."""
    found = mistakes(
        file,
        "[worker]\nbatch = 7\n",
        WORKER_BATCH="seven",
        ARCHIVE_SIDECAR="yes",
        ACCOUNTS_MIAN_SID="acme2",
        DOWNLOADS="5",
    )
    names = [line.partition(" = ")[0] for line in found]
    expected = ["ACCOUNTS_MIAN_SID", "ARCHIVE_SIDECAR", "DOWNLOADS", "WORKER_BATCH"]
    assert sorted(names) == [f"CALLVAULT_{name}" for name in expected]


def test_other_programs_variables_are_left_alone(file: Path) -> None:
    """And the one that names the file is no setting."""
    environment = {"PATH": "/bin", "EXOTEL_API_KEY": "k", "CALLVAULT_CONFIG": str(file)}
    assert load_settings(None, environment).source == str(file)


def test_an_accounts_variables_bear_its_name(file: Path) -> None:
    """In upper case, with '_' for '-'."""
    settings = load(file, '[accounts.eu-west]\nsid = "x"\n', ACCOUNTS_EU_WEST_SID="acme9")
    assert {name: account.sid for name, account in settings.accounts.items()} == {
        "main": "acme1",
        "eu-west": "acme9",
    }


def test_one_of_several_accounts_has_to_be_named(file: Path) -> None:
    """The message names them."""
    settings = load(file, '[accounts.second]\nsid = "acme2"\n')
    assert settings.account("second").sid == "acme2"
    with pytest.raises(InputError, match=r"main, second") as caught:
        settings.account(None)
    assert "--account" in caught.value.hint
    with pytest.raises(InputError, match="no account 'third'"):
        settings.account("third")


@pytest.mark.parametrize("name", ["Main", "", "a" * 33, "a.b", "../x", "-a", "ä"])
def test_an_accounts_name_is_safe_as_a_folder(tmp_path: Path, name: str) -> None:
    """It is the first folder of every recording's path."""
    path = tmp_path / "config.toml"
    path.write_text(f'[accounts."{name}"]\nsid = "acme1"\n')
    assert "1 to 32 lower-case letters" in mistakes(path)[0]


def test_paths_are_relative_to_the_file(
    file: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever a command is started; absolute ones stay, and a tilde is the home."""
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    monkeypatch.setenv("HOME", "/home/somebody")
    settings = load(file, '[queue]\nstate = "q"\n[archive]\nroot = "~/calls"\n')
    assert settings.queue.state == file.parent / "q"
    assert settings.catalog_path == file.parent / "state" / "catalog.db"
    assert settings.archive.root == Path("/home/somebody/calls")
    absolute = load(file, CATALOG_URL="sqlite:////var/lib/c.db", ARCHIVE_ROOT="/srv/calls")
    assert (absolute.catalog_path, absolute.archive.root) == (
        Path("/var/lib/c.db"),
        Path("/srv/calls"),
    )


def test_the_file_is_found_where_a_command_is_started(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --config and CALLVAULT_CONFIG."""
    monkeypatch.chdir(file.parent)
    assert load_settings(None, {}).catalog_path == file.parent / "state" / "catalog.db"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        (b"[accounts", "are no TOML"),
        (b'\na = "\xff"', "are not in UTF-8: line 2 "),
        (b"[a]\nx = 1\n[a]\nx = 2\n", "are no TOML"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    """By its name, with the reason."""
    path = tmp_path / "config.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        load_settings(path, {})
    assert str(path) in caught.value.message


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("1.5h", 5400),
        ("30d", 2_592_000),
        ("250ms", 0.25),
        (" 2 h ", 7200),
    ],
)
def test_durations_have_units(text: str, seconds: float) -> None:
    """From milliseconds to days, also broken ones."""
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        (7, 7),
        ("7B", 7),
        ("5GiB", 5 * 2**30),
        ("5GB", 5 * 10**9),
        ("1.5MiB", 3 * 2**19),
        ("1 TiB", 2**40),
    ],
)
def test_sizes_have_units_of_a_thousand_or_1024(text: object, expected: int) -> None:
    """A plain number is bytes."""
    assert expected == parse_size(text)


@given(
    st.text(st.sampled_from("0123456789.smhdKMGiB -+e٣"), max_size=8) | st.none() | st.booleans()
)
def test_other_texts_are_neither_durations_nor_sizes(text: object) -> None:
    """They are read as what they say or refused, and never taken for less than nothing."""
    for parse, least in ((parse_duration, timedelta(0)), (parse_size, 0)):
        try:
            value = parse(text)
        except ValueError:
            continue
        assert value >= least  # type: ignore[operator]
        assert str(text).isascii()
        assert str(text).strip()[0].isdigit()


def test_rules_and_deletion_days_are_arrays_of_tables(tmp_path: Path) -> None:
    """A text stands for a list of one; each account gets the rules that concern it."""
    file = tmp_path / "config.toml"
    file.write_text(
        """
[accounts.main]
sid = "acme1"
[[accounts.main.retention]]
days = 30
to = 2026-05-31
exophone = "0804*"
[accounts.other]
sid = "acme2"
[[selection]]
name = "short"
shorter_than = "5s"
[[selection]]
name = "only here"
account = "other"
status = ["busy", "failed"]
""",
        encoding="utf-8",
    )
    accounts = load_settings(file, {}).accounts
    short = Rule(name="short", shorter_than=timedelta(seconds=5))
    here = Rule(name="only here", account=("other",), status=("busy", "failed"))
    assert accounts["main"].retention == (
        Kept(days=30, until=date(2026, 5, 31), exophone=("0804*",)),
    )
    assert [(short,), (short, here)] == [one.selection for one in accounts.values()]


def test_mistakes_in_arrays_of_tables_are_told_with_the_others(tmp_path: Path) -> None:
    """Each with its place and what is allowed."""
    file = tmp_path / "config.toml"
    file.write_text(
        """
[accounts.main]
sid = "acme1"
retention = [{days = 0}, {dais = 3}]
selection = []
[[selection]]
name = "a"
colour = "red"
shorter_than = 5
account = ["nobody"]
[[selection]]
keep = true
[poll]
every = "no"
""",
        encoding="utf-8",
    )
    with pytest.raises(SettingsError) as caught:
        load_settings(file, {})
    told = "\n".join(caught.value.mistakes)
    for words in (
        "accounts.main.retention[1].days = 0",
        "accounts.main.retention[2].dais",
        "accounts.main.retention[2].days: missing",
        "accounts.main.selection",
        "selection[1].colour",
        "selection[1].shorter_than = 5",
        "selection[2].name: missing",
        "poll.every",
    ):
        assert words in told, (words, told)


@pytest.mark.parametrize(
    "text",
    [
        '[accounts.main]\nsid = "a1"\napi_key = "0123456789-of-main"\n',
        '[accounts.main]\nsid = "a1"\n[queue]\nurl = "amqp://user:0123456789-word@host/0"\n',
    ],
)
def test_a_secret_that_stands_in_the_file_is_not_told(tmp_path: Path, text: str) -> None:
    """What is wrong goes on into journals; the key that it is about is named all the same."""
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings(file, {"CALLVAULT_MY_TOKEN": "0123456789-token"})
    assert "0123456789" not in caught.value.message
    assert len(caught.value.mistakes) == 2
    assert "CALLVAULT_MY_TOKEN" in caught.value.message
