"""The abuse suite: hostile strategies and requests, and what must be true during and after each."""
