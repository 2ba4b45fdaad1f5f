"""What contracts may ask for that the numpy back-end cannot do."""

from typing import TYPE_CHECKING

from stratlab.domain.errors import InvalidContractError

if TYPE_CHECKING:
    from stratlab.contract.model import StrategyContract


def refuse_what_is_missing(contract: "StrategyContract") -> None:
    """Refuse what only other back-ends can do.

    Raises:
        InvalidContractError: The contract asks for it.
    """
    if contract.execution.intrabar != "tv_path":
        raise InvalidContractError(
            "execution.intrabar: the numpy evaluator fills along tv_path only",
            hint="Set execution.intrabar to tv_path.",
        )
