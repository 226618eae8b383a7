"""Where a call to the outside may go: the shape of its URL, and which addresses are public. Pure: resolves nothing."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

MAXIMUM_LENGTH: Final = 2000

_VISIBLE: Final = re.compile(r"[!-\[\]-~]+", re.ASCII)  # printable ASCII without blank and backslash
_NAME: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

# IPv6 that is public lies in 2000::/3; what is carved out of it follows. IPv4: everything but these.
_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT, and a cloud's metadata at 100.100.100.200
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's metadata at an address that looks public
        "169.254.0.0/16",  # link-local, metadata
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",
        "2001::/23",  # Teredo, ORCHID and their kin
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "3fff::/20",
    )
)


class OutboundRefused(Exception):
    """The destination may not be called; nothing was sent."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Destination:
    """A URL taken apart. `target` is path and query; `host` is in lower case, an IPv6 address without brackets."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def addresses(self) -> tuple[str, ...]:
        """The address that the host itself is; a name has none before it is resolved."""
        return (self.host,) if ":" in self.host or self.host.replace(".", "").isdigit() else ()


def parse(url: str) -> Destination:
    """Take a URL apart. Raises OutboundRefused for anything but plain http or https without credentials."""
    if len(url) > MAXIMUM_LENGTH:
        raise OutboundRefused(f"the URL is longer than {MAXIMUM_LENGTH} characters")
    if not _VISIBLE.fullmatch(url):
        raise OutboundRefused("the URL holds a character that must be percent-encoded")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise OutboundRefused("the URL cannot be read") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise OutboundRefused("the URL is neither http nor https")
    if "@" in parts.netloc:
        raise OutboundRefused("the URL holds credentials")
    if "#" in url:
        raise OutboundRefused("the URL holds a fragment")
    if port == 0:
        raise OutboundRefused("the URL names port 0")
    target = parts.path or "/"
    return Destination(
        scheme=parts.scheme,
        host=_checked_host(parts.hostname or "", bracketed="[" in parts.netloc),
        port=port or _DEFAULT_PORTS[parts.scheme],
        target=f"{target}?{parts.query}" if parts.query else target,
    )


def permit(destination: Destination, *, environment: str, allowed: Iterable[tuple[str, int]]) -> bool:
    """Return whether the destination is allowed whatever its address. Raises OutboundRefused for plain live HTTP.

    `allowed` is the setting OUTBOUND_ALLOW; it counts in the test environment alone.
    """
    if environment != "test":
        if destination.scheme != "https":
            raise OutboundRefused("the live environment calls https alone")
        return False
    return (destination.host, destination.port) in allowed


def refuse_unless_public(addresses: Iterable[str]) -> None:
    """Raise OutboundRefused if any of the addresses is not public."""
    for address in addresses:
        if not is_public(address):
            raise OutboundRefused("the destination has an address that is not public")


def is_public(address: str) -> bool:
    """Return whether an address belongs to the public internet. IPv4 inside IPv6 never does."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and (parsed.scope_id or parsed not in _GLOBAL_UNICAST):
        return False
    return not any(parsed.version == network.version and parsed in network for network in _NOT_PUBLIC)


def _checked_host(host: str, *, bracketed: bool) -> str:
    if bracketed:
        try:
            return str(ipaddress.IPv6Address(host)) if "%" not in host else _refuse_host()
        except ValueError:
            _refuse_host()
    host = host.removesuffix(".")
    if not _NAME.fullmatch(host) or len(host) > 253:
        _refuse_host()
    # What ends in a number is an IPv4 address, in its one canonical form: no octal, hex, or missing parts.
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            _refuse_host()
    return host


def _refuse_host() -> str:
    raise OutboundRefused("the URL names no proper host")
