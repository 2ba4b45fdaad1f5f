"""How many random cases the checks try."""

import os

from hypothesis import HealthCheck, settings

IS_FULL = os.environ.get("STRATLAB_TEST_SIZE") == "full"
_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


def fuzz(examples: int) -> settings:
    """Settings for so many examples, always the same ones; thirty times as many at full size."""
    return settings(
        max_examples=30 * examples if IS_FULL else examples,
        derandomize=not IS_FULL,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=_SLOW,
    )
