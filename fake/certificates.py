"""A throw-away certificate authority, and TLS for a server that only its clients trust."""

from __future__ import annotations

import enum
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Certificates", "WrongCertificate"]


_LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


class WrongCertificate(enum.Enum):
    """What may be wrong with a certificate that a client must refuse."""

    NAME = "name"
    """Issued for another host."""
    AUTHORITY = "authority"
    """Issued by an authority that the client does not know."""
    EXPIRED = "expired"


class Certificates:
    """An authority of this object's own, and a certificate for `localhost` and 127.0.0.1.

    Args:
        names: further host names or addresses that the certificate is good for.
    """

    def __init__(self, *names: str) -> None:
        self._authority = trustme.CA()
        self._names = ("localhost", "127.0.0.1", "::1", *names)
        self.server_context = _context(self._authority.issue_cert(*self._names))

    def write_authority(self, path: Path) -> Path:
        """Writes the authority's certificate as PEM, for clients to trust, and gives the path back."""
        path.write_bytes(self._authority.cert_pem.bytes())
        return path

    def wrong_context(self, fault: WrongCertificate) -> ssl.SSLContext:
        """TLS with a certificate that a client must refuse."""
        match fault:
            case WrongCertificate.NAME:
                return _context(self._authority.issue_cert("elsewhere.example"))
            case WrongCertificate.AUTHORITY:
                return _context(trustme.CA().issue_cert(*self._names))
            case WrongCertificate.EXPIRED:
                return _context(self._authority.issue_cert(*self._names, not_after=_LONG_AGO))


def _context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    certificate.configure_cert(context)
    return context
