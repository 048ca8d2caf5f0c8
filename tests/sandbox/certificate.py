"""Certificates for local servers that speak TLS, made with the command line of OpenSSL."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

OPENSSL = shutil.which("openssl")


def make_certificate(folder: Path, name: str = "127.0.0.1") -> Path:
    """Make a certificate that signs itself, and return the file with it and its key.

    Args:
        folder: where the file goes.
        name: the address or host name that it is good for.

    Raises:
        FileNotFoundError: there is no OpenSSL on this machine.
        CalledProcessError: OpenSSL failed.
    """
    if OPENSSL is None:
        raise FileNotFoundError("openssl")
    kind = "IP" if name.replace(".", "").isdigit() else "DNS"
    file, key = folder / f"{name}.pem", folder / f"{name}.key"
    command = [OPENSSL, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=sandbox", "-addext", f"subjectAltName={kind}:{name}"]
    command += ["-keyout", str(key), "-out", str(file)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    file.write_text(file.read_text() + key.read_text())
    return file
