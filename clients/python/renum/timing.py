"""How long the client waits, and for what."""

import random
from dataclasses import dataclass

_RNG = random.SystemRandom()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """All times in seconds; the defaults suit people and servers, tests use smaller ones."""

    connect_s: float = 5.0
    read_s: float = 30.0

    # Reads (GET) are tried again when there is no connection or the server says 503.
    tries: int = 3
    retry_base_s: float = 0.2
    retry_cap_s: float = 5.0

    # The event stream comes back for as long as it is wanted.
    reconnect_base_s: float = 0.5
    reconnect_cap_s: float = 20.0
    greeting_s: float = 10.0
    silent_heartbeats: float = 2.5

    # A watched execution is read anew after so much silence: a lost event costs no more.
    poll_s: float = 10.0

    # A token is renewed this long before its end.
    refresh_margin_s: float = 30.0


def backoff_s(attempt: int, *, base_s: float, cap_s: float) -> float:
    """
    Seconds to wait before retry number *attempt* (1 is the first retry).

    Full jitter: uniform in [0, min(cap_s, base_s * 2**(attempt - 1))].

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    # The exponent is bounded so that a huge attempt cannot overflow a float.
    return _RNG.uniform(0.0, min(cap_s, base_s * 2.0 ** min(attempt - 1, 64)))
