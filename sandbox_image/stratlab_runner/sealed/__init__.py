"""Sealed replay: zipline over a market that the controller reveals bar by bar."""
