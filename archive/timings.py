"""The times that must agree with each other, in one place that asserts their order.

A lease that lapses before its worker could beat, or a service manager that kills before the grace
is over, are faults that no single module can see. Units and documents take the figures from here.
All in seconds.
"""

from __future__ import annotations

from typing import Final

APART_S: Final = 5
"""By so much a host's clock may differ from the catalog's without being told."""
HEARTBEAT_S: Final = 3
"""How often a worker process says that it lives."""

LEASE_S: Final = 45
"""How long after its last beat a process is taken for dead and its calls are given back."""

LOCK_S: Final = 60
"""How long a write waits for the catalog's lock. Longer than it takes until a worker process that
is stuck with the lock in hand is killed."""

RESCUE_S: Final = 5
"""How often lapsed leases are looked for."""

LEADER_S: Final = 10
"""How long the one dispatcher of the cluster keeps its place after it last renewed it."""

DISPATCH_S: Final = 0.2
"""How often the dispatcher looks for due calls."""

DOWNLOAD_GRACE_S: Final = 40
"""How long a stopping worker lets begun downloads go on before it gives their calls back."""

STOP_GRACE_S: Final = 60
"""How long a stop may take until the service manager may kill (``TimeoutStopSec``)."""

KILL_AFTER_S: Final = 48
"""How long a supervisor waits for its workers' end before it kills them."""

START_S: Final = 600
"""How long a service may take until it is ready (``TimeoutStartSec``): a large catalog may have to
be brought to a new version first."""

WATCHDOG_S: Final = 600
"""How long work in hand may stand still, unexplained, until the service manager starts the service
again (``WatchdogSec``)."""

JOB_TIMEOUT_S: Final = 24 * 3600
"""What arq is told: longer than the largest batch, since a four-hour call is gigabytes.

Who is alive is decided by leases, never by this.
"""

assert DISPATCH_S < LEADER_S / 3, "a leader must renew its place several times before it lapses"
assert HEARTBEAT_S * 5 < LEASE_S, "a lease must survive several missed beats"
assert LEASE_S + 2 * HEARTBEAT_S < LOCK_S, "who waits for the lock must outlast who is stuck"
assert LEASE_S + 2 * RESCUE_S < 60, "work must go on within a minute of a process's death"  # noqa: PLR2004
assert DOWNLOAD_GRACE_S < KILL_AFTER_S - 5, "giving back and closing need their part of the grace"
assert KILL_AFTER_S < STOP_GRACE_S - 10, "the embedded queue is stopped after the workers"
assert LOCK_S * 4 < START_S, "what begins may have to wait for the catalog's lock more than once"
assert (LEASE_S + LOCK_S) * 4 < WATCHDOG_S, "a stuck worker process is replaced long before"
assert STOP_GRACE_S < JOB_TIMEOUT_S, "arq must never end a batch before a stop does"
