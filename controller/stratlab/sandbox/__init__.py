"""Single-use containers: everything between a batch of trials and what they claim."""

from stratlab.sandbox.diagnosis import Diagnosis, diagnose, diagnose_runtimes
from stratlab.sandbox.engine import DockerEngine
from stratlab.sandbox.host_paths import HostPaths
from stratlab.sandbox.identity import installation_id
from stratlab.sandbox.scheduler import DockerSandbox
from stratlab.sandbox.trusted_job import DockerJobs

__all__ = [
    "Diagnosis",
    "DockerEngine",
    "DockerJobs",
    "DockerSandbox",
    "HostPaths",
    "diagnose",
    "diagnose_runtimes",
    "installation_id",
]
