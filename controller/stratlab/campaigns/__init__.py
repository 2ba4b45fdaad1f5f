"""Campaigns: the loop from a specification to a verdict, and what it leaves behind."""
