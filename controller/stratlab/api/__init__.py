"""The public gRPC API: services, validation at the edge, errors and the listener."""
