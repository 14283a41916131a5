"""Servers that speak TLS beside the plain port of the tests, with certificates made for the occasion."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bench.process import free_port

from .servers import Server


def certificate(folder: Path, name: str) -> Path:
    """A certificate for this machine that vouches for itself; its key lies beside it."""
    made = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", "/CN=localhost",
        "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
    ]  # fmt: skip
    subprocess.run(made, check=True, capture_output=True, cwd=folder)
    return folder / f"{name}.crt"


def options(certificate: Path) -> list[str]:
    """Words for a server that speaks TLS on a port of its own, with its replicas and its cluster too."""
    return [
        "--tls-port", str(free_port()), "--tls-cert-file", str(certificate),
        "--tls-key-file", str(certificate.with_suffix(".key")), "--tls-ca-cert-file", str(certificate),
        "--tls-auth-clients", "no", "--tls-replication", "yes",
    ]  # fmt: skip


def port(server: Server) -> int:
    """Where it speaks TLS."""
    with server.client() as client:
        return int(client.config_get("tls-port")["tls-port"])
