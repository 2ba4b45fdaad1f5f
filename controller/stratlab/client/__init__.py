"""The typed client of the public gRPC API."""

from stratlab.client.client import Client

__all__ = ["Client"]
