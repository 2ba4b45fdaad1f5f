"""Alembic migrations of the store, oldest first; applied by :mod:`stratlab.store.upgrade`."""
