"""The state table."""

from hypothesis import given
from hypothesis import strategies as st

from stratlab.domain.campaign import TRANSITIONS, CampaignState


def test_final_states_have_no_way_out_and_all_others_have() -> None:
    for state in CampaignState:
        assert bool(TRANSITIONS[state]) is not state.is_final


def test_every_working_state_can_be_paused_cancelled_or_fail() -> None:
    for state in CampaignState:
        if not state.is_final and state is not CampaignState.PAUSED:
            assert {
                CampaignState.PAUSED,
                CampaignState.CANCELLED,
                CampaignState.FAILED,
            } <= TRANSITIONS[state]


@given(st.data())
def test_random_walk_reaches_completed_only_from_evaluated(data: st.DataObject) -> None:
    state = CampaignState.QUEUED
    for _ in range(50):
        successors = sorted(TRANSITIONS[state])
        if not successors:
            break
        following = data.draw(st.sampled_from(successors))
        if following is CampaignState.COMPLETED:
            assert state is CampaignState.CAMPAIGN_EVALUATED
        state = following
