"""Which addresses of the network are everybody's."""

from ipaddress import IPv6Address, IPv6Network, ip_address, ip_network

#: All that is given out to machines so far (RFC 3513, §2.5.4). What is outside may carry an IPv4
#: address too, in ways that were given up (::a.b.c.d, ::ffff:0:a.b.c.d).
_GLOBAL_UNICAST = IPv6Network("2000::/3")
#: Not global, although some versions of Python say so (IANA's special-purpose registries).
_NOT_GLOBAL = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")))


def is_public(address: str) -> bool:
    """
    Whether an IP address is a machine's on the public internet.

    False for everything inside: loopback, private, link-local (cloud metadata among them),
    shared, multicast, reserved, and IPv6 addresses that carry an IPv4 address, by which a
    private one could be meant. Raises ValueError for what is no address.
    """
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address) and (ip not in _GLOBAL_UNICAST or ip.sixtofour or ip.teredo):
        return False
    inside = any(ip.version == n.version and ip in n for n in _NOT_GLOBAL)
    return ip.is_global and not ip.is_multicast and not inside


def is_address(host: str) -> bool:
    """Whether a host is an IP address rather than a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
