"""A throw-away certificate authority, made with the machine's own openssl."""

from __future__ import annotations

import ssl
import subprocess
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_KEY: Final = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
# All there is: the machine's own configuration says nothing to it.
_CONFIG: Final = """
[req]
distinguished_name = name
prompt = no
[name]
CN = throw-away
[ca]
default_ca = here
[here]
new_certs_dir = .
database = index.txt
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
[any]
commonName = supplied
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
"""
_HOST: Final = """
subjectAltName = DNS:{name}
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""
_GOOD: Final = ("-days", "2")
_PAST: Final = ("-startdate", "20200101000000Z", "-enddate", "20200102000000Z")


class Authority:
    """An authority in a folder of its own: ``file`` is its certificate."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "authority.pem"
        (folder / "openssl.cnf").write_text(_CONFIG)
        (folder / "index.txt").write_text("")
        self._made = 0
        self._openssl(
            *("req", "-x509", "-extensions", "authority", "-days", "2"),
            *("-keyout", "authority.key", "-out", "authority.pem", *_KEY),
        )

    def server(self, name: str, *, expired: bool = False) -> ssl.SSLContext:
        """Return what a server needs to show a certificate for a name."""
        self._made += 1
        stem = f"host{self._made}"
        (self.folder / f"{stem}.ext").write_text(_HOST.format(name=name))
        self._openssl(
            *("req", "-new", "-subj", f"/CN={name}"),
            *("-keyout", f"{stem}.key", "-out", f"{stem}.csr", *_KEY),
        )
        self._openssl(
            *("ca", "-batch", "-notext", "-cert", "authority.pem", "-keyfile", "authority.key"),
            *("-in", f"{stem}.csr", "-out", f"{stem}.pem", "-extfile", f"{stem}.ext"),
            *(_PAST if expired else _GOOD),
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{stem}.pem", self.folder / f"{stem}.key")
        return context

    def as_folder(self, folder: Path) -> Path:
        """Put the certificate into a folder as OpenSSL looks for it."""
        folder.mkdir()
        (folder / "authority.pem").write_bytes(self.file.read_bytes())
        _run("openssl", "rehash", str(folder), cwd=folder)
        return folder

    def _openssl(self, command: str, *words: str) -> None:
        _run("openssl", command, "-config", "openssl.cnf", *words, cwd=self.folder)


def _run(*words: str, cwd: Path) -> None:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    assert done.returncode == 0, done.stderr
