"""Campaigns with the critic and without: what random mutation may know, and what critics change."""

import json
from collections import Counter
from dataclasses import replace

import pytest
from tests.search.histories import request_after, summary_of

from stratlab.campaigns.critic import RuleCritic
from stratlab.campaigns.model_critic import ModelCritic
from stratlab.domain.search import Islands
from stratlab.domain.spending import TokenUsage
from stratlab.generation import load_templates
from stratlab.generation.authors import Author, AuthorSettings
from stratlab.llm import Answer
from stratlab.search.operators import OPERATORS
from stratlab.selftest.arms import RIVALS, Arm, Budget, critic_of, generator_of, spec_of
from stratlab.selftest.fast.campaign import run_campaign
from stratlab.selftest.fast.market import WorldMarket
from stratlab.selftest.random_mutation import RandomCritic
from stratlab.selftest.worlds import Recipe, WorldKind, make_world

TEMPLATES = list(load_templates().values())
SEED = 3
NOISE, EFFECT = Recipe(WorldKind.GARCH, SEED), Recipe(WorldKind.REVERSAL, SEED, 2.0)


def _candidates(recipe, arm, iterations=8, critic_on=lambda market: None):
    world = make_world(recipe)
    market = WorldMarket(world)
    spec = spec_of(arm, Budget(iterations, 1), world.panel.symbols, recipe.seed)
    # Points that were screened have no say in what is drawn, and take time.
    spec = replace(spec, parameter_search=replace(spec.parameter_search, screen_points=4))
    critic = critic_on(market) or critic_of(arm)
    found = run_campaign(spec, market, generator_of(arm, spec), critic)
    return [iteration.candidate for iteration in found.iterations]


def _history(scores):
    return [
        summary_of(number, TEMPLATES[number - 1], score=score)
        for number, score in enumerate(scores, start=1)
    ]


def test_drawn_change_is_the_same_whatever_the_results():
    critic = RandomCritic(draws_parent=True)
    drawn = []
    for scores in ([0.1, 0.2, 0.9], [0.9, 0.2, None]):
        history = _history(scores)
        drawn.append(critic.criticise(request_after(history[:-1]), history[-1]))
    assert drawn[0] == drawn[1]


def test_operators_and_parents_are_all_as_likely():
    history, draws = _history([0.1, 0.9, 0.5]), 2000
    request = request_after(history[:-1], Islands(count=1))
    asked = []
    for seed in range(draws):
        spec = replace(request.campaign.spec, seed=seed)
        with_seed = replace(request, campaign=replace(request.campaign, spec=spec))
        asked.append(RandomCritic(draws_parent=True).criticise(with_seed, history[-1]))
    operators = Counter(critique.operator for critique in asked)
    parents = Counter(critique.parent for critique in asked)
    assert set(operators) == set(OPERATORS)
    assert set(parents) == {summary.candidate.hash for summary in history}
    for counts in (operators, parents):
        share = 1 / len(counts)
        error = (draws * share * (1 - share)) ** 0.5
        assert max(abs(count - draws * share) for count in counts.values()) < 4 * error


def test_evolution_leaves_the_parent_to_the_generator():
    history = _history([0.1, 0.9])
    drawn = RandomCritic(draws_parent=False).criticise(request_after(history[:-1]), history[-1])
    assert drawn.parent == ""
    assert drawn.operator in OPERATORS


def test_mutation_tries_the_same_in_every_world():
    first, second = (
        [candidate.hash for candidate in _candidates(recipe, Arm.MUTATION)]
        for recipe in (NOISE, EFFECT)
    )
    assert first == second


def test_arms_begin_alike_and_part_when_the_critic_has_its_say():
    tried = {
        arm: [candidate.hash for candidate in _candidates(EFFECT, arm)]
        for arm in (Arm.LAB, *RIVALS)
    }
    start = len(TEMPLATES)
    assert len({tuple(hashes[:start]) for hashes in tried.values()}) == 1
    assert len({tuple(hashes[start:]) for hashes in tried.values()}) == len(tried)
    assert {len(set(hashes)) for hashes in tried.values()} == {8}


class _OneAnswer:
    # Implements the port ``AsksModels``.
    def __init__(self, **answer):
        self.calls, self._text = [], json.dumps(answer)

    def ask(self, call):
        self.calls.append(call)
        return Answer(self._text, "end_turn", TokenUsage())


@pytest.mark.parametrize("operator", ["add_factor", "swap_rule"])
def test_model_critic_says_what_is_changed_in_such_a_campaign_too(operator):
    models = _OneAnswer(operator=operator, parent="C1", reason="It is simple.")

    def model_critic(market):
        author = Author(models, AuthorSettings(("claude-test",)), market, lambda: "surface")
        return ModelCritic(author, RuleCritic())

    tried = _candidates(EFFECT, Arm.LAB, len(TEMPLATES) + 2, model_critic)
    changed = [candidate.lineage for candidate in tried[len(TEMPLATES) :]]
    assert [lineage.operator for lineage in changed] == [operator] * 2
    assert [lineage.parents for lineage in changed] == [(tried[0].hash,)] * 2
    # Nothing is asked after the last iteration.
    assert len(models.calls) == len(tried) - 1
