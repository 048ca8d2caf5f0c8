"""Certificates for servers on this machine, made by the `openssl` command."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def certificate(folder: Path, name: str, *names: str) -> Path:
    """A file with a new key and a certificate that it has signed itself.

    Args:
        folder: where to put it.
        name: of the file.
        names: what it is valid for, as OpenSSL spells it: `IP:127.0.0.1`, `DNS:e-conomic.test`.
    """
    file, key = folder / f"{name}.pem", folder / f"{name}.key"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    make += ["-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext"]
    make += [f"subjectAltName={','.join(names)}", "-keyout", str(key), "-out", str(file)]
    subprocess.run(make, check=True, capture_output=True, timeout=60)
    file.write_text(file.read_text() + key.read_text())
    return file
