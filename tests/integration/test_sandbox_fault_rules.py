"""Rules of faults over real HTTP: how often, how long, by seed; several recordings of a call."""

import asyncio
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.integration.test_sandbox_faults import (
    ENDS_WITHIN,
    ROOT,
    SIZE,
    Heard,
    Stage,
    Told,
    ask,
    md5,
    sha,
    staged,
)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """Give a stand-in that the tests of this module share."""
    options = ("--calls", "1000", "--mix", "clean", "--bytes", str(SIZE), "--urls", "presigned")
    with staged(*options) as stage:
        yield stage


async def test_rules_fire_as_often_as_they_say() -> None:
    """A rule for two times fires twice and is shown with it; then the truth is served again."""
    with staged("--calls", "3", "--mix", "clean") as stage:
        call = next(stage.calls)
        stage.spoil({"kind": "error-503", "where": "api", "times": 2})
        statuses = [(await stage.ask("call", call)).status for _ in range(3)]
        _, shown = stage.control("GET", "faults")
        _, stats = stage.control("GET", "stats")
    assert statuses == [503, 503, 200]
    (rule,) = shown["rules"]
    assert (rule["fired"], rule["in_force"], rule["where"]) == (2, False, ["call", "listing"])
    assert {"error-503": 2} == shown["fired"] == stats["faults"]
    assert stats["call"] == {"200": 1, "503": 2}


async def test_a_storm_and_an_outage_pass() -> None:
    """A 429 storm at the API and an outage of one host last their time and leave the rest alone."""
    with staged("--calls", "3", "--mix", "clean") as stage:
        call = next(stage.calls)
        stage.spoil(
            {"kind": "too-many-bare", "where": "api", "seconds": 1},
            {"kind": "outage", "where": "recording", "seconds": 1},
        )
        assert (await stage.ask("call", call)).status == 429
        assert (await stage.ask("recording", call)).ended == "reset"
        assert stage.control("GET", "stats")[0] == 200
        async with asyncio.timeout(ENDS_WITHIN):
            while (await stage.ask("call", call)).status != 200:
                pass
            while (heard := await stage.ask("recording", call)).ended == "reset":
                pass
        _, stats = stage.control("GET", "stats")
    assert call["sha256"] == sha(heard.body)
    assert stats["recording"]["0"] == stats["faults"]["outage"]


async def test_rules_are_cleared() -> None:
    """DELETE takes away all rules, also those of the command line."""
    with staged("--calls", "3", "--faults", "1", "--fault-kinds", "error-500") as stage:
        call = next(stage.calls)
        statuses = [(await stage.ask("call", call)).status]
        assert stage.control("DELETE", "faults")[0] == 200
        statuses.append((await stage.ask("call", call)).status)
        _, shown = stage.control("GET", "faults")
    assert statuses == [500, 200]
    assert shown == {"rules": [], "fired": {}}


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"kind": "weather"}, "no kind of fault"),
        ({"kind": "kyc", "where": "storage"}, "does not exist"),
        ({"kind": "html", "where": "moon"}, "where is one of"),
        ({"kind": "html", "often": 3}, "no often"),
        ({"kind": "html", "share": 2}, "from 0 to 1"),
        ({"kind": "html", "times": "3"}, "whole number"),
        ({"kind": "html", "parameters": {"rate": 3}}, "rate is none"),
        ({"kind": "json-types", "parameters": {"variant": "x"}}, "variant is one of"),
        ("html", "list of objects"),
    ],
)
def test_what_is_no_rule_is_refused(stage: Stage, rule: object, words: str) -> None:
    """A rule with a mistake is refused with what is wrong, and none of its neighbours is taken."""
    status, said = stage.control("POST", "faults", [{"kind": "html", "times": 0}, rule])
    assert (status, words in said["error"]) == (400, True)


def test_by_seed_two_runs_agree_and_everything_gets_through(tmp_path: Path) -> None:
    """A share of all answers goes wrong, the same ones in both runs, and three in a row at most."""
    file = tmp_path / "faults.json"
    file.write_text(json.dumps({"rules": [{"kind": "kyc", "where": "call", "times": 0}]}))
    kinds = "error-500,html,too-many,forbidden,wrong-etag,null-url,not-found"
    options = ("--calls", "60", "--mix", "clean", "--faults", "0.4", "--fault-kinds", kinds)
    runs = []
    for seed in ("a", "a", "b"):
        with staged(*options, "--fault-seed", seed, "--faults-file", str(file)) as stage:
            calls = [next(stage.calls) for _ in range(60)]
            runs.append(asyncio.run(_seen(stage, calls)))
    assert runs[0] == runs[1] != runs[2]
    wrong = [one != "right" for seen in runs[0] for one in seen]
    assert 0.25 < sum(wrong) / len(wrong) < 0.5
    assert all("right" in seen for seen in runs[0])


async def _seen(stage: Stage, calls: list[Told]) -> list[list[str]]:
    """Ask four times for each call and each recording; tell what was wrong."""
    seen = []
    for call in calls:
        for where in ("call", "recording"):
            heard = [await stage.ask(where, call) for _ in range(4)]
            seen.append([_judged(call, where, one) for one in heard])
    return seen


def _judged(call: Told, where: str, heard: Heard) -> str:
    if where == "call":
        right = heard.status == 200 and call["url_path"].encode() in heard.body
    else:
        right = heard.headers.get("etag") == md5(heard.body) and sha(heard.body) == call["sha256"]
    return "right" if right else f"{heard.status} {heard.headers.get('content-type')}"


async def test_several_recordings_of_a_call(tmp_path: Path) -> None:
    """A call may have two or three: the API tells of one, the export and the truth of all."""
    export = tmp_path / "calls.csv"
    options = ("--calls", "40", "--several", "0.5", "--family", "dashboard")
    with staged(*options, "--write-cdr", str(export)) as stage:
        calls = list(itertools.islice(stage.calls, 40))
        several = [call for call in calls if len(call["recordings"]) > 1]
        call = several[0]
        heard = [
            await ask(f"http://{stage.ready['recording_host']}{one['url_path']}")
            for one in call["recordings"]
        ]
        api = json.loads((await stage.ask("call", call)).body)["Call"]["RecordingUrl"]
        missing = await ask(f"{api[:-4]}_7{api[-4:]}")
    assert 5 <= len(several) <= 25
    assert {2, 3} == {len(call["recordings"]) for call in several}
    assert [one["sha256"] for one in call["recordings"]] == [sha(one.body) for one in heard]
    assert len(heard) == len({one.body for one in heard})
    assert call["recordings"][0]["url_path"] == call["url_path"] == urlsplit(api).path
    assert missing.status == 404
    text = export.read_text(encoding="utf-8")
    assert all(one["url_path"] in text for call in calls for one in call["recordings"])


@pytest.mark.parametrize(
    "options",
    [
        ("--faults", "1.5"),
        ("--fault-kinds", "weather"),
        ("--faults-file", "/nowhere/at/all.json"),
        ("--faults", "0.1", "--fault-hold", "long"),
    ],
)
def test_wrong_fault_options_are_usage_errors(options: tuple[str, ...]) -> None:
    """A wrong option ends with exit code 2, one message and no traceback."""
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "sandbox", *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=60,
    )
    assert (done.returncode, "Error:" in done.stderr, "Trace" in done.stderr) == (2, True, False)
