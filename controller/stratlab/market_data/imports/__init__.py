"""Bringing in data of users: from files or a source to the canonical content of a data set."""
