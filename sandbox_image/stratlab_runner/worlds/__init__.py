"""Worlds for the causality test: tiers with another future, made by a trusted job."""
