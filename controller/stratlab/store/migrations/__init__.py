"""Alembic migrations of the store, oldest first; applied by :mod:`stratlab.store.upgrade`.

There is no way back: a downgrade would have to destroy audit trails. Restore a backup instead.
"""
