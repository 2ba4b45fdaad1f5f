"""A real server with mTLS and tokens, and the certificates that it and its callers need."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import trustme

PROGRAM = Path(sys.executable).with_name("stratlab")


def issue_certificate(authority: trustme.CA, folder: Path, name: str) -> Path:
    """Write a certificate of an authority; its key (mode 0600) is beside it."""
    issued = authority.issue_cert(name)
    certificate = folder / f"{name}.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key = certificate.with_suffix(".key")
    key.touch(mode=0o600)
    issued.private_key_pem.write_to_path(key)
    return certificate


@dataclass(frozen=True)
class LabServer:
    """A running server.

    Attributes:
        home: Its home directory.
        address: Where it listens with mTLS.
        ca: Certificate of the authority behind the server's and the callers' certificates.
        certificate: What the callers show; its key is beside it.
        token_file: The callers' token, of the lowest role that may do what they do.
    """

    home: Path
    address: str
    ca: Path
    certificate: Path
    token_file: Path

    @property
    def socket(self) -> str:
        """Address of the owner's unix socket."""
        return f"unix:{self.home / 'stratlab.sock'}"

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs to call this server."""
        return {
            **os.environ,
            "PATH": f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}",  # buf lives there
            "STRATLAB_CLIENT__ADDRESS": self.address,
            "STRATLAB_CLIENT__TOKEN_FILE": str(self.token_file),
            "STRATLAB_CLIENT__CA": str(self.ca),
            "STRATLAB_CLIENT__CERTIFICATE": str(self.certificate),
            "STRATLAB_CLIENT__KEY": str(self.certificate.with_suffix(".key")),
        }


@contextlib.contextmanager
def serve(home: Path, folder: Path) -> Iterator[LabServer]:
    """Run `stratlab serve` with mTLS on a free port of loopback."""
    authority = trustme.CA()
    ca = folder / "ca.pem"
    authority.cert_pem.write_to_path(ca)
    certificate = issue_certificate(authority, folder, "localhost")
    environment = {
        **os.environ,
        "STRATLAB_HOME": str(home),
        "STRATLAB_SERVER__LISTEN": "127.0.0.1:0",
        "STRATLAB_SERVER__TLS_CERTIFICATE": str(certificate),
        "STRATLAB_SERVER__TLS_KEY": str(certificate.with_suffix(".key")),
        "STRATLAB_SERVER__TLS_CLIENT_CA": str(ca),
    }
    token_file = folder / "token"
    token_file.touch(mode=0o600)
    with token_file.open("wb") as token:
        subprocess.run(
            [PROGRAM, "token", "create", "clients", "--role", "researcher"],
            env=environment,
            stdout=token,
            timeout=60,
            check=True,
        )
    log = folder / "serve.log"
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [PROGRAM, "serve", "--json"], env=environment, stdout=subprocess.PIPE, stderr=errors
        ) as process,
    ):
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert b"listen" in line, line.decode() + log.read_text()
            # By name: TLS knows no server names that are addresses, and Node insists.
            port = json.loads(line)["listen"].rpartition(":")[2]
            yield LabServer(
                home=home,
                address=f"localhost:{port}",
                ca=ca,
                certificate=issue_certificate(authority, folder, "client.example"),
                token_file=token_file,
            )
        finally:
            process.terminate()
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
