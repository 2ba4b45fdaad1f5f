"""What generators and critics are told: figures of train and a coarse rank, in every type."""

import json
from dataclasses import fields
from pathlib import Path

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from tests.examination.test_campaign_examination import run
from tests.suites.small_lab import small_lab

from stratlab.api.convert.iteration import iteration_to_proto
from stratlab.domain.campaign import StopRules
from stratlab.domain.generation import GenerationRequest, IterationSummary
from stratlab.domain.trial import Limits
from stratlab_proto.v1 import campaign_service_pb2 as pb

FORBIDDEN = ("holdout", "equity", "series", "sharpe", "return", "examination", "verdict", "test")


def all_fields(message: Descriptor) -> list[FieldDescriptor]:
    found = list(message.fields)
    for field in message.fields:
        if field.message_type is not None:
            found += all_fields(field.message_type)
    return found


def test_generated_message_has_the_fields_of_the_type_that_critics_get() -> None:
    names = {field.name for field in pb.CriticView.DESCRIPTOR.fields}
    assert names == {field.name for field in fields(IterationSummary)}


def test_generated_message_has_no_place_for_validation_figures_or_the_holdout() -> None:
    found = all_fields(pb.CriticView.DESCRIPTOR)
    for field in found:
        assert not any(word in field.name for word in FORBIDDEN), field.name
        assert not field.is_repeated, field.name
        if "validation" in field.name:
            assert field.enum_type is not None
            # Three thirds, and none.
            assert len(field.enum_type.values) == 4
    numbers = {f.name for f in found if f.type == FieldDescriptor.TYPE_DOUBLE}
    assert numbers == {"train_score", "turnover", "max_drawdown"}
    messages = {f.message_type.name for f in found if f.message_type is not None}
    assert messages == {"Feedback"}


def test_types_of_the_ports_hold_nothing_that_was_examined() -> None:
    names = {field.name for kind in (IterationSummary, GenerationRequest) for field in fields(kind)}
    assert not any(word in name for name in names for word in FORBIDDEN)
    ranks = {field.name: field.type for field in fields(IterationSummary)}
    assert ranks["validation_rank"] is str


async def test_view_tells_the_rank_that_the_critic_was_told(tmp_path: Path) -> None:
    rules = StopRules(max_iterations=4, max_wall_seconds=None)
    with small_lab(tmp_path) as lab:
        campaign = await run(lab, stop_rules=rules)
        iterations = lab.repository.list_iterations(campaign.id)
        views = [iteration_to_proto(iteration, Limits()) for iteration in iterations]
        # The last one met no critic.
        assert [view.HasField("critic_view") for view in views] == [True, True, True, False]
        rank = pb.CriticView.ValidationRank.Name
        assert [rank(view.critic_view.validation_rank) for view in views[:3]] == [
            f"VALIDATION_RANK_{iteration.validation_rank.upper()}" for iteration in iterations[:3]
        ]
        told = json.dumps([str(view.critic_view) for view in views])
        for iteration in iterations:
            assert iteration.evaluation is not None
            assert iteration.evaluation.validation is not None
            assert str(iteration.evaluation.validation.sharpe_ratio)[:8] not in told
