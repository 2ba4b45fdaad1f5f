"""``stratlab validate``: finds sources, has them judged, and says it in every form."""
