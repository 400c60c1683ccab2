"""Whose request it is, when anybody may write X-Forwarded-For."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.client_ip import client_ip

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        # A stranger's word is not believed.
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        # Only as far as the proxies are ours.
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1, 10.2.2.2"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1", "198.51.100.1, 10.2.2.2"], "198.51.100.1"),
        ("10.0.0.1", ["10.3.3.3"], "10.3.3.3"),
        # Some proxies name the port.
        ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1:4711, 10.2.2.2:80"], "198.51.100.1"),
        ("fd00::1", ["[2001:db8::7]:4711"], "2001:db8::7"),
        ("fd00::1", ["[2001:db8::7]"], "2001:db8::7"),
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", ["unknown:80"], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("::ffff:10.0.0.1", ["2001:db8::7"], "2001:db8::7"),
        ("fd00::1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("/run/renum.sock", ["198.51.100.1"], None),
        (None, ["198.51.100.1"], None),
    ],
)
def test_the_last_address_that_a_proxy_of_ours_saw(
    peer: str | None, forwarded: list[str], expected: str | None
) -> None:
    assert client_ip(peer, forwarded, TRUSTED) == expected


@given(st.none() | st.text(), st.lists(st.text()))
def test_any_header_is_survived(peer: str | None, forwarded: list[str]) -> None:
    client_ip(peer, forwarded, TRUSTED)
    client_ip("10.0.0.1", forwarded, TRUSTED)
