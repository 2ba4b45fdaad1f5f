"""Colours of values: orange for bad, blue for good, told apart by everybody."""

_BAD = (217, 95, 2)
_GOOD = (31, 120, 180)
_NEUTRAL = (247, 247, 247)


def colour(shade: float) -> str:
    """Return the CSS colour of a value.

    Args:
        shade: In [-1, 1] from bad to good; what is outside counts as the nearer end.
    """
    strength = min(abs(shade), 1.0)
    end = _GOOD if shade >= 0 else _BAD
    mixed = (
        round(neutral + (full - neutral) * strength)
        for neutral, full in zip(_NEUTRAL, end, strict=True)
    )
    return "rgb({},{},{})".format(*mixed)
