# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An authority, and certificates by it that are good, or bad in one way."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)
PEM = serialization.Encoding.PEM


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    issuer: x509.Name, subject: x509.Name, key: ec.EllipticCurvePrivateKey, begin: timedelta, end: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(timezone.utc)
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
    return builder.not_valid_before(now + begin).not_valid_after(now + end)


class Authority:
    """Signs what it is asked to. ``file``: its own certificate, to be trusted or not."""

    def __init__(self, directory: Path, name: str = "Authority") -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        self.file = directory / f"{name}.pem"
        builder = _builder(self._name, self._name, self._key, -DAY, DAY)
        own = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.file.write_bytes(own.sign(self._key, hashes.SHA256()).public_bytes(PEM))

    def certificate(
        self, name: str = "127.0.0.1", *, begin: timedelta = -DAY, end: timedelta = DAY, self_signed: bool = False
    ) -> Path:
        """Return the file of a new certificate and its key, for a name; '' is for none but the common name."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name("127.0.0.1" if not name else "array")
        issuer = subject if self_signed else self._name
        builder = _builder(issuer, subject, key, begin, end)
        if name:
            builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(name)]), critical=False)
        signed = builder.sign(key if self_signed else self._key, hashes.SHA256())
        path = self._directory / f"{signed.serial_number:x}.pem"
        private = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path.write_bytes(signed.public_bytes(PEM) + private)
        return path


def _alternative(name: str) -> x509.GeneralName:
    with suppress(ValueError):
        return x509.IPAddress(ipaddress.ip_address(name))
    return x509.DNSName(name)
