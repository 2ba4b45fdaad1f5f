"""A real server with mTLS and tokens, and the certificates that it and its callers need."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("stratlab")


def make_authority(folder: Path, name: str) -> Path:
    """Return the certificate of a new certificate authority; its key is beside it."""
    certificate = folder / f"{name}.pem"
    _openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-days", "2", "-subj", f"/CN={name}",
        "-keyout", str(certificate.with_suffix(".key")), "-out", str(certificate),
    )  # fmt: skip
    return certificate


def make_certificate(authority: Path, name: str) -> Path:
    """Return a certificate of an authority for this host; its key (mode 0600) is beside it."""
    certificate = authority.with_name(f"{name}.pem")
    key, request = certificate.with_suffix(".key"), certificate.with_suffix(".csr")
    extensions = certificate.with_suffix(".ext")
    extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    _openssl(
        "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(request),
    )  # fmt: skip
    _openssl(
        "x509", "-req", "-days", "2", "-in", str(request), "-extfile", str(extensions),
        "-CA", str(authority), "-CAkey", str(authority.with_suffix(".key")), "-CAcreateserial",
        "-out", str(certificate),
    )  # fmt: skip
    key.chmod(0o600)
    return certificate


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], capture_output=True, timeout=60, check=True)


@dataclass(frozen=True)
class LabServer:
    """A running server.

    Attributes:
        home: Its home directory.
        address: Where it listens with mTLS.
        authority: Certificate that signed the server's and has to sign the callers'.
    """

    home: Path
    address: str
    authority: Path

    @property
    def socket(self) -> str:
        """Address of the owner's unix socket."""
        return f"unix:{self.home / 'stratlab.sock'}"

    def environment(self, token: str, certificate: Path, folder: Path) -> dict[str, str]:
        """Return what a program needs to call this server."""
        token_file = folder / "token"
        token_file.touch(mode=0o600)
        token_file.write_text(f"{token}\n")
        return {
            **os.environ,
            "PATH": f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}",  # buf lives there
            "STRATLAB_CLIENT__ADDRESS": self.address,
            "STRATLAB_CLIENT__TOKEN_FILE": str(token_file),
            "STRATLAB_CLIENT__CA": str(self.authority),
            "STRATLAB_CLIENT__CERTIFICATE": str(certificate),
            "STRATLAB_CLIENT__KEY": str(certificate.with_suffix(".key")),
        }

    def stratlab(self, *arguments: str) -> dict[str, object]:
        """Run the command line as the owner and return what it prints."""
        done = subprocess.run(
            [PROGRAM, *arguments, "--json"],
            env={**os.environ, "STRATLAB_HOME": str(self.home)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@contextlib.contextmanager
def serve(home: Path, folder: Path) -> Iterator[LabServer]:
    """Run `stratlab serve` with mTLS on a free port of loopback."""
    authority = make_authority(folder, "authority")
    certificate = make_certificate(authority, "server")
    environment = {
        **os.environ,
        "STRATLAB_HOME": str(home),
        "STRATLAB_SERVER__LISTEN": "127.0.0.1:0",
        "STRATLAB_SERVER__TLS_CERTIFICATE": str(certificate),
        "STRATLAB_SERVER__TLS_KEY": str(certificate.with_suffix(".key")),
        "STRATLAB_SERVER__TLS_CLIENT_CA": str(authority),
    }
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
            assert line, log.read_text()
            # By name: TLS knows no server names that are addresses, and Node insists.
            port = json.loads(line)["listen"].rpartition(":")[2]
            yield LabServer(home, f"localhost:{port}", authority)
        finally:
            process.terminate()
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
