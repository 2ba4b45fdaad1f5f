"""Tools for agents: the lab over the model context protocol, as one more client of its API."""
