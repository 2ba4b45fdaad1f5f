"""Writes changes of state: the only way a campaign moves."""

from stratlab.domain.campaign import TRANSITIONS, Campaign, Transition
from stratlab.domain.errors import WrongStateError
from stratlab.domain.events import EventKind
from stratlab.domain.ports import Transaction


def record_transition(
    transaction: Transaction, before: Campaign, after: Campaign, actor: str = ""
) -> Campaign:
    """Write a campaign's change of state with its transition and event.

    Args:
        transaction: Everything is written in it.
        before: The campaign as it is stored.
        after: The campaign as it shall be.
        actor: Who asked for the change; "" when the lab moves by itself.

    Raises:
        WrongStateError: The state machine has no such transition.
    """
    if after.state not in TRANSITIONS[before.state]:
        raise WrongStateError(
            f"campaign {before.id} cannot go from {before.state} to {after.state}",
            state=before.state,
        )
    transaction.append_transition(
        Transition(
            campaign_id=before.id,
            number=before.revision + 1,
            from_state=before.state,
            to_state=after.state,
            reason=after.state_reason,
            at=after.updated_at,
        )
    )
    transaction.append_event(
        before.id,
        after.updated_at,
        EventKind.STATE_CHANGED,
        {
            "from": before.state.value,
            "to": after.state.value,
            "reason": after.state_reason,
            **({"actor": actor} if actor else {}),
        },
    )
    return transaction.save_campaign(after)
