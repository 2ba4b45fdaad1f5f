"""Draws a campaign as one HTML page that needs nothing else: no script, no font, no network."""

from stratlab.tear_sheet.page import tear_sheet
from stratlab.tear_sheet.sheet import Growth, Sheet

__all__ = ["Growth", "Sheet", "tear_sheet"]
