"""Leads the conversation with a model: a brief, then what it asks for, then repairs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Protocol, TypeVar, final

from pydantic import BaseModel

from stratlab.domain.errors import (
    BudgetExhaustedError,
    InvalidInputError,
    ModelFailedError,
)
from stratlab.domain.market import Tier
from stratlab.domain.spending import Bounds, PriceTable
from stratlab.generation.authors import prompts
from stratlab.generation.authors.bandit import choose_model
from stratlab.generation.authors.blinding import Blindfold
from stratlab.generation.authors.forms import Brief
from stratlab.generation.authors.past import past_text
from stratlab.generation.authors.quoting import QUOTE_RULE, quoted
from stratlab.llm import Account, Answer, Call, Prompt, Role, Turn
from stratlab.llm.extraction import read_form

if TYPE_CHECKING:
    from stratlab.domain.campaign import Campaign
    from stratlab.domain.generation import GenerationRequest
    from stratlab.domain.ports import MarketData

MAX_REPAIRS = 2
"""How often a model may correct one answer."""

_BRIEF_TOKENS = 2000
_MICRO = 1_000_000

Form = TypeVar("Form", bound=BaseModel)
Made = TypeVar("Made")
Read = Callable[[str], Form]


class AsksModels(Protocol):
    """Draws samples from models."""

    def ask(self, call: Call) -> Answer:
        """Return the answer to a call.

        Raises:
            ModelFailedError, ModelUnavailableError, BudgetExhaustedError: There is none.
        """
        ...


@final
@dataclass(frozen=True, slots=True)
class AuthorSettings:
    """How models are asked.

    Attributes:
        models: Who is asked; of several, a bandit chooses.
        max_output_tokens: The most that a model may write in one answer.
        is_blind: Whether symbols, dates and price levels are hidden.
        known_until: Model -> last day of its training data, where it is known.
        prices: What models cost, for the choice among them.
        footprint: Lines that an iteration may change against what it starts from.
    """

    models: tuple[str, ...]
    max_output_tokens: int = 8192
    is_blind: bool = True
    known_until: Mapping[str, date] = field(default_factory=dict)
    prices: PriceTable = field(default_factory=dict)
    footprint: int = 300


@final
@dataclass(frozen=True, slots=True)
class Job:
    """One iteration of one campaign, as an author sees it.

    Attributes:
        request: What is asked for.
        model: Who is asked.
        hide: Hides names, dates and prices.
        brief: What is to be written, None before there is one.
        turns: The conversation so far.
    """

    request: "GenerationRequest"
    model: str
    hide: Blindfold
    brief: Brief | None = None
    turns: tuple[Turn, ...] = ()


@final
class Author:
    """Asks models for what a generator needs.

    Args:
        models: Draws samples.
        settings: How.
        market_data: Says what is traded.
        surface: Returns what a strategy may use, as text.
    """

    def __init__(
        self,
        models: AsksModels,
        settings: AuthorSettings,
        market_data: "MarketData",
        surface: Callable[[], str],
    ) -> None:
        self._models = models
        self._settings = settings
        self._market_data = market_data
        self._surface = surface

    @property
    def settings(self) -> AuthorSettings:
        """How models are asked."""
        return self._settings

    def begin(self, request: "GenerationRequest") -> Job:
        """Return the job of an iteration: a model is chosen, nothing is asked yet."""
        settings, data_set = self._settings, request.campaign.spec.data_set
        model = choose_model(settings.models, request.history, settings.prices)
        symbols = self._market_data.get(data_set).symbols
        return Job(request, model, Blindfold((*symbols, data_set), is_on=settings.is_blind))

    def may_foreknow(self, job: Job) -> bool:
        """Return whether a model sees what it trades, and may have read of the holdout's years."""
        if job.hide.is_on:
            return False
        holdout = self._market_data.get(job.request.campaign.spec.data_set).tiers.get(Tier.HOLDOUT)
        known_until = self._settings.known_until.get(job.model)
        return holdout is None or known_until is None or known_until >= holdout.start

    def with_brief(self, job: Job) -> Job:
        """Have the brief written.

        Raises:
            ModelFailedError: The model gave none that can be used.
            ModelUnavailableError: It cannot be asked at all.
        """
        request = job.request
        critique = request.critique
        change = ""
        if critique is not None and critique.reason:
            change = f"The critic proposes: {quoted(job.hide(critique.reason), 'critic')}"
        text = prompts.fill(
            "brief",
            task=task_text(request, job.hide),
            market=self._market(job),
            history=past_text(request.history, job.hide),
            change=change,
            sample=str(request.iteration),
        )
        begun = Job(request, job.model, job.hide, None, (Turn(Role.USER, text),))
        brief = self.converse(
            begun, "brief", Brief, lambda answer: read_form(answer, Brief), _same, _BRIEF_TOKENS
        )
        said = Turn(Role.ASSISTANT, brief.model_dump_json())
        return Job(request, job.model, job.hide, brief, (*begun.turns, said))

    def write(
        self,
        job: Job,
        step: str,
        instruction: str,
        form: type[Form],
        read: Read[Form],
        make: Callable[[Form], Made],
    ) -> Made:
        """Have something written, as the next turn of a job's conversation.

        Args:
            job: With its brief, if what is wanted follows from one.
            step: Name of the prompt, part of the call's place.
            instruction: What to write.
            form: Of the answer.
            read: Turns the text of an answer into the form; ValueError when it cannot.
            make: Turns the form into what is wanted; InvalidInputError goes back word for word.

        Raises:
            ModelFailedError: The model gave nothing that can be used.
            ModelUnavailableError: It cannot be asked at all.
        """
        turns = (*job.turns, Turn(Role.USER, instruction))
        asked = Job(job.request, job.model, job.hide, job.brief, turns)
        return self.converse(asked, step, form, read, make, self._settings.max_output_tokens)

    def converse(
        self,
        job: Job,
        step: str,
        form: type[Form],
        read: Read[Form],
        make: Callable[[Form], Made],
        max_tokens: int,
    ) -> Made:
        """Ask, and let the model correct what cannot be used, at most twice.

        Raises:
            ModelFailedError: It refused, or did not get it right.
            ModelUnavailableError: It cannot be asked at all.
        """
        turns, problems = job.turns, ""
        for repair in range(MAX_REPAIRS + 1):
            name = step if not repair else f"{step}/repair-{repair}"
            prompt = Prompt(
                version=prompts.version(step),
                stable=self._stable(),
                turns=turns,
                answer=form,
                max_tokens=min(max_tokens, self._settings.max_output_tokens),
            )
            answer = self._ask(job, name, prompt)
            if answer.stop_reason == "refusal":
                raise ModelFailedError(
                    f"the model refused at {name}",
                    cause="REFUSED",
                    model=job.model,
                    prompt=prompt.version,
                )
            try:
                return make(read(_whole(answer)))
            except (ValueError, InvalidInputError) as error:
                problems = error.message if isinstance(error, InvalidInputError) else str(error)
            complaint = prompts.fill("repair", problems=quoted(problems, "checks"))
            said = answer.text or "(nothing)"
            turns = (*turns, Turn(Role.ASSISTANT, said), Turn(Role.USER, complaint))
        raise ModelFailedError(
            f"the model did not get {step} right in {MAX_REPAIRS + 1} tries: {problems}",
            cause="NOT_REPAIRED",
            model=job.model,
            prompt=prompts.version(step),
        )

    def _ask(self, job: Job, name: str, prompt: Prompt) -> Answer:
        request = job.request
        call = Call(
            account=account_of(request.campaign),
            place=f"{request.iteration:04d}/{name}",
            sample=request.iteration,
            model=job.model,
            prompt=prompt,
        )
        try:
            return self._models.ask(call)
        except BudgetExhaustedError as error:
            raise ModelFailedError(
                error.message,
                hint=error.hint,
                cause=error.reason,
                model=job.model,
                prompt=prompt.version,
            ) from None

    def _stable(self) -> str:
        return prompts.fill("stable", quote_rule=QUOTE_RULE, surface=self._surface())

    def _market(self, job: Job) -> str:
        spec = job.request.campaign.spec
        groups = " or ".join(str(len(market)) for market in spec.markets)
        text = f"bars of {', '.join(spec.timeframes)}; {groups} symbols in one account"
        if job.hide.is_on:
            return text
        data_set = self._market_data.get(spec.data_set)
        symbols = ", ".join(symbol for market in spec.markets for symbol in market)
        told = quoted("; ".join((data_set.provenance, *data_set.caveats)), "data set")
        return f"{text}: {symbols}. About the data: {told}"


def account_of(campaign: "Campaign") -> Account:
    """Return who pays for a campaign's calls, and what it may spend."""
    rules = campaign.spec.stop_rules
    cost = rules.max_cost_usd
    bounds = Bounds(None if cost is None else int(cost * _MICRO), rules.max_tokens)
    return Account(campaign.id, bounds, campaign.replay_of)


def task_text(request: "GenerationRequest", hide: Blindfold) -> str:
    """Return what a campaign is to look for, as data."""
    spec = request.campaign.spec
    wanted = spec.prompt or "Find a strategy that earns more than holding the symbols."
    return quoted(hide("\n".join((wanted, *spec.constraints))), "task")


def _same(brief: Brief) -> Brief:
    return brief


def _whole(answer: Answer) -> str:
    if not answer.is_complete:
        raise ValueError(f"the answer ended early: {answer.stop_reason}; write less")
    return answer.text
