"""Whose certificates are believed: the machine's authorities, or those the environment names."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from archive.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping


def tls_context(environment: Mapping[str, str]) -> ssl.SSLContext:
    """Return what TLS connections are made with: 1.2 or newer, certificates and names checked.

    ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` each take the place of the machine's own file or folder
    of authorities, as for every program that uses OpenSSL.

    Raises:
        SettingsError: one of them names what holds no certificates. (OpenSSL by itself would
            believe nobody, and not say why.)
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    own = ssl.get_default_verify_paths()
    file = environment.get(own.openssl_cafile_env)
    folder = environment.get(own.openssl_capath_env)
    if not file and not folder:
        context.load_default_certs()
        return context
    _load_file(context, file or own.openssl_cafile, is_given=bool(file))
    _load_folder(context, folder or own.openssl_capath, is_given=bool(folder))
    return context


def _load_file(context: ssl.SSLContext, file: str, *, is_given: bool) -> None:
    try:
        context.load_verify_locations(cafile=file)
    except ssl.SSLError as error:
        _complain("SSL_CERT_FILE", file, "it holds no certificates", error)
    except OSError as error:
        if is_given:
            _complain("SSL_CERT_FILE", file, error.strerror or "it cannot be read", error)


def _load_folder(context: ssl.SSLContext, folders: str, *, is_given: bool) -> None:
    # OpenSSL looks into it when it needs a certificate, and takes several with a ":" between them.
    if is_given and not any(Path(folder).is_dir() for folder in folders.split(os.pathsep)):
        _complain("SSL_CERT_DIR", folders, "no such folder", None)
    context.load_verify_locations(capath=folders)


def _complain(variable: str, value: str, reason: str, cause: Exception | None) -> None:
    raise SettingsError([f"{variable}={value}: {reason}"], source="the environment") from cause
