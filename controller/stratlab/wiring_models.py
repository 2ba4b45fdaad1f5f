"""Wires language models: the door over the store, and the generators and critics behind it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import structlog

from stratlab.campaigns.critic import RuleCritic
from stratlab.campaigns.model_critic import CriticByKind, ModelCritic
from stratlab.domain.events import EventKind
from stratlab.domain.ports import Clock, Critic, Generator, MarketData
from stratlab.domain.spending import ModelPrice, PriceTable
from stratlab.domain.strategy import GeneratorKind
from stratlab.generation import TemplateGenerator
from stratlab.generation.authors import (
    Author,
    AuthorSettings,
    CodeGenerator,
    FallbackGenerator,
    HybridGenerator,
)
from stratlab.generation.catalogue import build_catalogue, prompt_text
from stratlab.llm import BudgetWarning, Door, Endpoint, ModelClient, Models, RetryPolicy
from stratlab.private_files import read_private
from stratlab.search import FactorGraphGenerator
from stratlab.settings import LlmSettings, Settings

if TYPE_CHECKING:
    from stratlab.store.repository import SqlRepository

_LOG = structlog.get_logger(__name__)
_MICRO = 1_000_000

Surface = Callable[[], Mapping[str, Any]]
"""Returns what the sandbox image holds."""


@final
@dataclass(frozen=True, slots=True)
class Authors:
    """What language models do in campaigns."""

    generators: Mapping[GeneratorKind, Generator]
    critic: Critic


@contextmanager
def open_authors(
    settings: Settings,
    repository: "SqlRepository",
    market_data: MarketData,
    clock: Clock,
    surface: Surface,
) -> Iterator[Authors]:
    """Open the door to language models; nobody is asked before a campaign does.

    Args:
        settings: All.
        repository: Where ledger and cassettes are.
        market_data: Says what is traded.
        clock: Stamps what is stored.
        surface: Asked when a model is to write free code.

    Raises:
        UnsafeConfigurationError: Others can read the file with the key.
        InvalidInputError: It cannot be read.
    """
    llm = settings.llm

    def warn(warning: BudgetWarning) -> None:
        payload: dict[str, object] = {
            "of": warning.of,
            "percent": warning.percent,
            "spent": warning.spent,
            "bound": warning.bound,
        }
        _LOG.warning("budget_warning", campaign=warning.campaign_id, **payload)
        with repository.transaction() as transaction:
            transaction.append_event(
                warning.campaign_id, clock.now(), EventKind.BUDGET_WARNING, payload
            )

    door = Door(
        client=ModelClient(
            Endpoint(
                url=llm.endpoint,
                key=api_key(settings),
                needs_key=llm.needs_key,
                seconds=llm.call_seconds,
                is_streamed=llm.stream,
                is_structured=llm.structured,
            )
        ),
        ledger=repository.ledger(),
        cassettes=repository.cassettes(),
        prices=price_table(llm),
        policy=RetryPolicy(llm.attempts, llm.deadline_seconds, llm.first_pause_seconds),
        clock=clock,
        warn=warn,
    )
    with Models(door) as models:
        yield _authors(models, llm, market_data, surface)


def api_key(settings: Settings) -> str:
    """Return the key for language models, "" when there is none.

    Raises:
        UnsafeConfigurationError: Others can read its file.
        InvalidInputError: Its file cannot be read.
    """
    key = settings.anthropic_api_key.get_secret_value()
    if key or not settings.llm.key_file:
        return key
    return read_private(Path(settings.llm.key_file)).decode(errors="replace").strip()


def price_table(llm: LlmSettings) -> PriceTable:
    """Return the configured prices in micro-dollars for a million tokens."""
    return {
        model: ModelPrice(
            input=round(price.input * _MICRO),
            output=round(price.output * _MICRO),
            cache_write=round(price.cache_write * _MICRO),
            cache_read=round(price.cache_read * _MICRO),
        )
        for model, price in llm.prices.items()
    }


def _authors(
    models: Models, llm: LlmSettings, market_data: MarketData, surface: Surface
) -> Authors:
    asked = AuthorSettings(
        models=llm.models,
        max_output_tokens=llm.max_output_tokens,
        is_blind=llm.blind,
        known_until=llm.known_until,
        prices=price_table(llm),
    )
    of_contracts = Author(
        models, asked, market_data, lambda: prompt_text(build_catalogue((), None))
    )
    of_code = Author(
        models, asked, market_data, lambda: prompt_text(build_catalogue((), surface()))
    )
    # An evolution without templates, so that the champion is what it begins with.
    evolution, templates = FactorGraphGenerator(lambda _: ()), TemplateGenerator()
    rules = RuleCritic()
    return Authors(
        generators={
            GeneratorKind.CLAUDE: FallbackGenerator(CodeGenerator(of_code), evolution, templates),
            GeneratorKind.HYBRID: FallbackGenerator(
                HybridGenerator(of_contracts), evolution, templates
            ),
        },
        critic=CriticByKind(
            rules,
            {
                GeneratorKind.CLAUDE: ModelCritic(of_code, rules),
                GeneratorKind.HYBRID: ModelCritic(of_contracts, rules),
            },
        ),
    )
