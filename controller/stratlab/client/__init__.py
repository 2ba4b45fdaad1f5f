"""The typed client of the public gRPC API."""

from stratlab.client.channel import read_token
from stratlab.client.client import Client

__all__ = ["Client", "read_token"]
