"""Certificates made when a test asks for them: our own authority, and what it signs or does not.

    authority = Authority(folder)
    ScriptedServer(tls=authority.context("good"))        # also "expired", "wrong-name", "self-signed"
    run(…, env={"SSL_CERT_FILE": authority.bundle})
"""

import datetime
import ipaddress
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# A wildcard stands for one label; virtual hosts and dual-stack names have several.
AWS_NAMES = ["*.amazonaws.com", "*.api.aws"] + [f"{label}.{region}.amazonaws.com"
                                                for region in ("us-east-1", "us-west-2", "eu-central-1")
                                                for label in ("*", "*.s3", "s3.dualstack", "*.s3.dualstack")]
_DAY = datetime.timedelta(days=1)


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    def __init__(self, folder):
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("Test authority")
        certificate = (self._builder(self._name, self._key, -1, 30)
                       .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
                       .add_extension(self._usage(signs=True), critical=True)
                       .sign(self._key, hashes.SHA256()))
        self.bundle = folder / "authority.pem"
        self.bundle.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def context(self, kind="good"):
        """The server's side of TLS, with a certificate of this kind for localhost and 127.0.0.1; "aws": for AWS's;
        "weather": for OpenWeatherMap's; "ecr": for registries of ours at AWS."""
        path = self.folder / f"{kind}.pem"
        if not path.exists():
            path.write_bytes(self._make(kind))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _make(self, kind):
        key = ec.generate_private_key(ec.SECP256R1())
        hosts = ["elsewhere.example"] if kind == "wrong-name" else ["localhost"]
        hosts = {"aws": AWS_NAMES, "ecr": ["*.dkr.ecr.us-west-2.amazonaws.com"],
                 "weather": ["api.openweathermap.org"]}.get(kind, hosts)
        addresses = [] if kind == "wrong-name" else [ipaddress.ip_address("127.0.0.1")]
        first, last = (-30, -1) if kind == "expired" else (-1, 30)
        subject = _name(hosts[0])
        issuer, signer = (subject, key) if kind == "self-signed" else (self._name, self._key)
        names = [x509.DNSName(host) for host in hosts] + [x509.IPAddress(address) for address in addresses]
        certificate = (self._builder(subject, key, first, last, issuer)
                       .add_extension(x509.SubjectAlternativeName(names), critical=False)
                       .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
                       .sign(signer, hashes.SHA256()))
        return (key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                  serialization.NoEncryption())
                + certificate.public_bytes(serialization.Encoding.PEM))

    @staticmethod
    def _builder(subject, key, first_day, last_day, issuer=None):
        now = datetime.datetime.now(datetime.timezone.utc)
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer or subject)
                .public_key(key.public_key()).serial_number(x509.random_serial_number())
                .not_valid_before(now + first_day * _DAY).not_valid_after(now + last_day * _DAY))

    @staticmethod
    def _usage(signs):
        return x509.KeyUsage(digital_signature=True, key_cert_sign=signs, crl_sign=signs, content_commitment=False,
                             key_encipherment=False, data_encipherment=False, key_agreement=False,
                             encipher_only=False, decipher_only=False)
