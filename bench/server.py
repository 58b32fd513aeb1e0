"""The provider as nginx plays it: answers that cost it next to nothing, and the same bytes for all.

The listing is a page of a hundred rows that nginx fills in by itself (server side includes): what a
row says, it takes from the Sid that is asked for. So nothing but nginx answers, out of one small
file. Each recording is one and the same file, which lies in memory and goes out by sendfile.

The latency is the network's (`bench.network`), or where there is none of that kind, nginx's own
``auth_delay``: every answer waits so long, the first one of a connection twice as long, for the
handshake. That costs a timer each.
"""

from __future__ import annotations

import base64
import os
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from bench.material import ACCOUNT, KEY, TOKEN, yesterday

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.material import Size

_HUNDRED: Final = 100
_PARTS: Final = 4
_PATIENCE_S: Final = 10
_TICKS: Final = os.sysconf("SC_CLK_TCK")

_CONF: Final = """\
daemon off; worker_processes 1; worker_rlimit_nofile 8192;
pid {home}/nginx.pid; error_log {home}/error.log crit; {user}
events {{ worker_connections 4096; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
  client_body_temp_path {home}/t; proxy_temp_path {home}/t; fastcgi_temp_path {home}/t;
  uwsgi_temp_path {home}/t; scgi_temp_path {home}/t;
  open_file_cache max=100; open_file_cache_valid 1h;
  large_client_header_buffers 4 32k; variables_hash_max_size 8192;
  types {{ application/json json; audio/mpeg mp3; }}
  map $connection_requests $stop {{ {stops} }}
  server {{
    listen {host} backlog=4096; root {home}/www;
    location = /status {{ stub_status; }}
    location = /v1/Accounts/{account}/Calls.json {{
      {guard}
      set $then /now/rows.json;
{listed}      if ($rest4 != "") {{ return 400; }}
      rewrite ^ $stop last;
    }}
    location ~ "^/v1/Accounts/{account}/Calls/{one}[.]json$" {{
      {guard}
      set $then /now/one.json;
      rewrite ^ $stop last;
    }}
    location /exotelrecordings/{account}/ {{
      {guard}
      set $then /now/body.mp3;
      rewrite ^ $stop last;
    }}
    location /now/ {{ internal; alias {home}/www/; ssi on; ssi_types application/json; }}
    location = /now/body.mp3 {{ internal; alias {home}/www/body.mp3; }}
{waits}  }}
}}
"""
# Nobody is in the file of users: each request is refused, but only after the delay; then served.
_WAIT: Final = """\
    location = {name} {{
      internal; auth_basic wait; auth_basic_user_file {home}/nobody;
      auth_delay {ms}ms; error_page 401 =200 $then;
    }}
"""
_ROW: Final = (
    '{{"Sid": "{sid}", "ParentCallSid": null, "DateCreated": "{began}", "DateUpdated": "{ended}", '
    '"AccountSid": "{account}", "To": "09800000002", "From": "09800000001", '
    '"PhoneNumberSid": "09800000003", "Status": "completed", "StartTime": "{began}", '
    '"EndTime": "{ended}", "Duration": {seconds}, "Price": "1.500000", "Direction": "inbound", '
    '"AnsweredBy": "human", "ForwardedFrom": null, "CallerName": null, '
    '"Uri": "/v1/Accounts/{account}/Calls/{sid}.json", '
    '"RecordingUrl": "http://<!--# echo var="http_host" -->/exotelrecordings/{account}/{sid}.mp3", '
    '"Details": {{"ConversationDuration": {seconds}, "Leg1Status": "completed", '
    '"Leg2Status": "completed"}}}}'
)


class Stats(NamedTuple):
    """What the server did so far: requests answered, and its CPU in seconds."""

    requests: int
    cpu_s: float


class Server:
    """A running nginx, and the network it is in."""

    def __init__(self, pid: int, host: str, prefix: Sequence[str]) -> None:
        self.host = host
        self.prefix = prefix
        self._pid = pid

    def stats(self) -> Stats:
        """Return what it did so far."""
        asked = subprocess.run(_ask_status(self.host, self.prefix), capture_output=True, check=True)
        requests = asked.stdout.decode("ascii").splitlines()[2].split()[2]
        return Stats(int(requests), sum(map(_cpu_s, _children(self._pid))))


@contextmanager
def serve(
    home: Path, size: Size, *, delay_ms: int = 0, prefix: Sequence[str] = ()
) -> Iterator[Server]:
    """Run nginx over ``home/www``, where ``body.mp3`` is; ``prefix`` puts it into a network."""
    www, host = home / "www", _free_host()
    (www / "rows.json").write_text(_page(size), encoding="ascii")
    (www / "one.json").write_text(f'{{"Call": {_row("0", size)}}}', encoding="ascii")
    (home / "nobody").touch()
    (home / "nginx.conf").write_text(_conf(home, host, delay_ms), encoding="ascii")
    command = [*prefix, "nginx", "-p", str(home), "-c", str(home / "nginx.conf")]
    # A prefix becomes the program that it starts, so the id is nginx's.
    with subprocess.Popen(command) as process:
        try:
            _wait_for(host, prefix)
            yield Server(process.pid, host, prefix)
        finally:
            process.terminate()


def _free_host() -> str:
    with socket.create_server(("127.0.0.1", 0)) as line:
        return f"127.0.0.1:{line.getsockname()[1]}"


def _ask_status(host: str, prefix: Sequence[str]) -> list[str]:
    return [*prefix, "curl", "-sf", f"http://{host}/status"]


def _wait_for(host: str, prefix: Sequence[str]) -> None:
    until = time.monotonic() + _PATIENCE_S
    while subprocess.run(_ask_status(host, prefix), capture_output=True, check=False).returncode:
        if time.monotonic() > until:
            raise SystemExit("nginx does not answer; its error.log says why")
        time.sleep(0.02)


def _children(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in children.split()]


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _conf(home: Path, host: str, delay_ms: int) -> str:
    words = base64.b64encode(f"{KEY}:{TOKEN}".encode()).decode()
    waits = ""
    if delay_ms:
        waits = _WAIT.format(name="/wait", home=home, ms=delay_ms)
        waits += _WAIT.format(name="/shake-hands", home=home, ms=2 * delay_ms)
    return _CONF.format(
        home=home,
        user="user root;" if os.geteuid() == 0 else "",
        host=host,
        account=ACCOUNT,
        stops="1 /shake-hands; default /wait;" if delay_ms else "default $then;",
        one=_sid_in_pattern(0),
        listed="".join(map(_take_sids, range(_PARTS))),
        guard=f'if ($http_authorization != "Basic {words}") {{ return 401; }}',
        waits=waits,
    )


def _sid_in_pattern(number: int) -> str:
    """Return the pattern of a Sid of `bench.material`: when its call began and ended, and more."""
    clock = "".join(f"(?<{part}{number}>..)" for part in "abcd")
    return f"(?<s{number}>{clock}[0-9a-z]{{24}})"


def _take_sids(part: int) -> str:
    """Return the directive that takes a part of the Sids apart; a line of nginx's is bounded."""
    each = _HUNDRED // _PARTS
    numbers = range(part * each, (part + 1) * each)
    pattern = "".join(f"(?:{_sid_in_pattern(number)}(?:,|%2C|$))?" for number in numbers)
    source = f"$rest{part}" if part else "$arg_Sid"
    return f'      if ({source} ~ "^{pattern}(?<rest{part + 1}>.*)$") {{ set $part {part}; }}\n'


def _page(size: Size) -> str:
    """Return the page of the listing, with a row for each Sid that was asked for."""
    rows = [_row("0", size)]
    for number in range(1, _HUNDRED):
        row = _row(str(number), size)
        rows.append(f'<!--# if expr="$s{number}" -->,\n{row}<!--# endif -->')
    return f'{{"Metadata": {{"NextPageUri": null}}, "Calls": [\n{"".join(rows)}]}}'


def _row(number: str, size: Size) -> str:
    def told(part: str) -> str:
        return f'<!--# echo var="{part}{number}" -->'

    day = yesterday().date().isoformat()
    return _ROW.format(
        sid=told("s"),
        began=f"{day} {told('a')}:{told('b')}:00",
        ended=f"{day} {told('c')}:{told('d')}:00",
        seconds=size.seconds,
        account=ACCOUNT,
    )
