"""Certificates by which handlers log in at a proxy, and the authority that gives them."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Certificates:
    """An authority that gives handlers certificates."""

    def __init__(self, folder: Path) -> None:
        """Write its own certificate where nginx looks for it."""
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        own = _certificate("Handlers", self._key, "Handlers", self._key, is_authority=True)
        (folder / "meldbalie-handlers-ca.pem").write_bytes(own)

    def of(self, name: str) -> ssl.SSLContext:
        """How somebody connects who has a certificate in this name."""
        key = ec.generate_private_key(ec.SECP256R1())
        file = self._folder / f"{name}.pem"
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(secret + _certificate(name, key, "Handlers", self._key, is_authority=False))
        context = believes_all()
        context.load_cert_chain(file)
        return context


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    by: ec.EllipticCurvePrivateKey,
    *,
    is_authority: bool,
) -> bytes:
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(_subject(name))
        .issuer_name(_subject(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    return built.sign(by, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _subject(name: str) -> x509.Name:
    parts = ((NameOID.ORGANIZATION_NAME, "Gemeente Voorbeeld"), (NameOID.COMMON_NAME, name))
    return x509.Name([x509.NameAttribute(*part) for part in parts])


def believes_all() -> ssl.SSLContext:
    """A client that looks at no certificate: the proxy's is self-signed."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
