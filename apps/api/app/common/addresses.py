"""Which addresses of the network are everybody's."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

#: NAT64 (RFC 6052, RFC 8215): an IPv4 address, in another dress.
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
#: Not global, although some versions of Python say so (IANA's special-purpose registries).
_NOT_GLOBAL = tuple(map(ip_network, ("192.0.0.0/24", "5f00::/16", "fec0::/10")))


def is_public(address: str) -> bool:
    """
    Whether an IP address is a machine's on the public internet.

    False for everything inside: loopback, private, link-local (cloud metadata among them),
    shared, multicast, reserved, and IPv6 addresses that carry an IPv4 address, by which a
    private one could be meant. Raises ValueError for what is no address.
    """
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address) and _carries_ipv4(ip):
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


def _carries_ipv4(ip: IPv6Address) -> bool:
    carried: IPv4Address | tuple[IPv4Address, IPv4Address] | None
    carried = ip.ipv4_mapped or ip.sixtofour or ip.teredo
    return carried is not None or any(ip in network for network in _NAT64)
