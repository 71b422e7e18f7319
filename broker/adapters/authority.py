"""Keys and X.509 certificates: EC P-256, one purpose each, checked strictly by every peer."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from broker.contract.shape.constraints import shorten
from broker.errors import ConfigError, UsageError

Key = ec.EllipticCurvePrivateKey
AUTHORITY_LIFE = timedelta(days=20 * 365)
LEAF_LIFE = timedelta(days=10 * 365)
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*"


@dataclass(frozen=True)
class Validity:
    """When certificates begin and from when their life counts.

    Attributes:
        now: time of issue.
        backdate: they are valid from this much earlier, for devices whose clocks are behind.
    """

    now: datetime
    backdate: timedelta

    def span(self, life: timedelta) -> tuple[datetime, datetime]:
        """First and last moment of validity."""
        return self.now - self.backdate, self.now + life


@dataclass(frozen=True)
class Authority:
    """A key that signs, and its certificate."""

    key: Key
    certificate: x509.Certificate


def new_key() -> Key:
    """Return a fresh private key."""
    return ec.generate_private_key(ec.SECP256R1())


def authority_certificate(key: Key, name: str, validity: Validity) -> x509.Certificate:
    """Return the self-signed certificate of an authority that signs end certificates only."""
    subject = _name(name)
    first, last = validity.span(AUTHORITY_LIFE)
    return (
        _builder(subject, subject, key.public_key(), first, last)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(_authority_id(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def client_certificate(
    authority: Authority, key: Key, name: str, validity: Validity
) -> x509.Certificate:
    """Return a certificate by which a device or an operator proves to be `name`."""
    builder = _leaf(authority, key, name, validity, ExtendedKeyUsageOID.CLIENT_AUTH)
    return builder.sign(authority.key, hashes.SHA256())


def server_certificate(
    authority: Authority, key: Key, hosts: Sequence[str], validity: Validity
) -> x509.Certificate:
    """Return a certificate for a broker that is reached under any of `hosts`."""
    names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
    builder = _leaf(authority, key, "selvedge broker", validity, ExtendedKeyUsageOID.SERVER_AUTH)
    return builder.add_extension(names, critical=False).sign(authority.key, hashes.SHA256())


def hosts_of(certificate: x509.Certificate) -> list[str]:
    """The hosts that a server certificate names."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in names]


def check_host(host: str) -> str:
    """Return a host name or IP address in the form that certificates hold.

    Raises:
        UsageError: it is neither; wildcards are not taken.
    """
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        if re.fullmatch(_HOST, host):
            return host.lower()
        raise UsageError(f"--host {shorten(host)} is not a host name or address") from None


def key_bytes(key: Key) -> bytes:
    """Return a private key as PEM, unencrypted: its file is readable by the owner only."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def certificate_bytes(certificate: x509.Certificate) -> bytes:
    """Return a certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def read_key(data: bytes, where: str) -> Key:
    """Parse what `key_bytes` wrote.

    Raises:
        ConfigError: it is not such a key.
    """
    try:
        key = serialization.load_pem_private_key(data, None)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{where} is not a private key: restore it, or move it away") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigError(f"{where} is not an elliptic-curve key")
    return key


def read_certificate(data: bytes, key: Key, where: str) -> x509.Certificate:
    """Parse what `certificate_bytes` wrote.

    Raises:
        ConfigError: it is not a certificate, or belongs to another key.
    """
    try:
        certificate = x509.load_pem_x509_certificate(data)
    except ValueError as error:
        raise ConfigError(f"{where} is not a certificate: delete it for a new one") from error
    if certificate.public_key() != key.public_key():
        raise ConfigError(f"{where} does not belong to its key: delete it for a new one")
    return certificate


def _leaf(
    authority: Authority, key: Key, name: str, validity: Validity, purpose: x509.ObjectIdentifier
) -> x509.CertificateBuilder:
    first, last = validity.span(LEAF_LIFE)
    issuer = authority.certificate.subject
    return (
        _builder(_name(name), issuer, key.public_key(), first, last)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(_authority_id(authority.key.public_key()), critical=False)
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    first: datetime,
    last: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(first)
        .not_valid_after(last)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _authority_id(key: ec.EllipticCurvePublicKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
