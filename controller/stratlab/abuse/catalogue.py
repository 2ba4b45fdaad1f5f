"""All cases, in the order in which they are run."""

from typing import Final

from stratlab.abuse.case import AbuseCase
from stratlab.abuse.escape import BETWEEN, ESCAPE
from stratlab.abuse.output import OUTPUT, TRUTH
from stratlab.abuse.resources import RESOURCES

CASES: Final[tuple[AbuseCase, ...]] = (*RESOURCES, *OUTPUT, *ESCAPE, *BETWEEN, *TRUTH)
