"""Whose request this is, when proxies stand in between."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network


def client_ip(peer: str | None, forwarded: Sequence[str], trusted: Sequence[Network]) -> str | None:
    """
    The address of the end user, or None when it is not known.

    Every proxy appends to `X-Forwarded-For` whom it saw, so the list is read from the right and
    only as far as the proxies are ours: what stands further left, anybody could have written.
    """
    address = _address(peer)
    if address is None:
        return None
    hops = [hop for line in forwarded for hop in line.split(",")]
    while hops and any(address in network for network in trusted):
        hop = _address(hops.pop())
        if hop is None:
            break
        address = hop
    return str(address)


def _address(text: str | None) -> IPv4Address | IPv6Address | None:
    text = (text or "").strip()
    # Some proxies name the port too: 203.0.113.7:4711, [2001:db8::7]:4711.
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # A dual-stack socket shows IPv4 peers as ::ffff:a.b.c.d, which no IPv4 network contains.
    return getattr(address, "ipv4_mapped", None) or address
