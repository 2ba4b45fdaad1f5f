"""Writes candidates by a model that fills the parts of a contract; the code is compiled."""

import difflib
import json
from typing import TYPE_CHECKING, Any, final

from stratlab.contract.candidate import candidate_from_contract
from stratlab.contract.document import canonical_json, load_contract
from stratlab.domain.errors import InvalidContractError
from stratlab.domain.strategy import Candidate, GeneratorKind, Lineage
from stratlab.generation.authors import prompts
from stratlab.generation.authors.forms import ContractForm, contract_document, form_of
from stratlab.generation.authors.past import best_first
from stratlab.generation.templates import templates_for
from stratlab.llm.extraction import read_form

if TYPE_CHECKING:
    from stratlab.contract.model import StrategyContract
    from stratlab.domain.generation import GenerationRequest
    from stratlab.generation.authors.author import Author, Job

STEP = "contract"


@final
class HybridGenerator:
    """Implements the ``Generator`` port: brief, then parts of a contract in a given structure."""

    def __init__(self, author: "Author") -> None:
        self._author = author

    def generate(self, request: "GenerationRequest") -> Candidate:
        """Return the candidate for an iteration.

        Raises:
            ModelFailedError: The model gave nothing that can be used.
            ModelUnavailableError: It cannot be asked at all.
            InvalidSpecError, InvalidParametersError: The campaign cannot be done from templates.
        """
        start = starting_point(request)
        job = self._author.with_brief(self._author.begin(request))
        structure = json.loads(start.text)
        footprint = self._author.settings.footprint

        def make(form: ContractForm) -> "StrategyContract":
            contract = load_contract(contract_document(form, structure))
            if start.parent is not None:
                require_footprint(start.text, canonical_json(contract), footprint)
            return contract

        contract = self._author.write(
            job,
            STEP,
            prompts.fill(
                "contract",
                structure=form_of(structure).model_dump_json(exclude_defaults=True),
                footprint=str(footprint),
            ),
            ContractForm,
            lambda answer: read_form(answer, ContractForm),
            make,
        )
        return candidate_from_contract(
            contract, lineage_of(GeneratorKind.HYBRID, STEP, start.parent, job, self._author)
        )


@final
class Start:
    """What an iteration starts from: the contract of a parent, or of a template.

    Attributes:
        parent: None for a template.
        text: Canonical JSON of the contract.
    """

    __slots__ = ("parent", "text")

    def __init__(self, parent: Candidate | None, text: str) -> None:
        self.parent = parent
        self.text = text


def starting_point(request: "GenerationRequest") -> Start:
    """Return what an iteration starts from: what the critic named, the best, or a template.

    Raises:
        InvalidSpecError, InvalidParametersError: The campaign cannot be done from templates.
    """
    templates = templates_for(request.campaign.spec)
    known = [item.candidate for item in request.history if item.candidate is not None]
    wanted = request.critique.parent if request.critique is not None else ""
    best = [item.candidate for item in best_first(request.history) if item.candidate is not None]
    for candidate in (*(each for each in known if each.hash == wanted), *best):
        text = candidate.contract or candidate.described_by
        if text:
            return Start(candidate, text)
    turn = templates[(request.iteration - 1) % len(templates)]
    return Start(None, canonical_json(turn))


def require_footprint(before: str, after: str, most: int) -> None:
    """Refuse a text that changes too much of another.

    Raises:
        InvalidContractError: More lines differ than ``most``.
    """
    changed = sum(
        line.startswith(("+", "-")) and not line.startswith(("+++", "---"))
        for line in difflib.unified_diff(before.splitlines(), after.splitlines(), n=0)
    )
    if changed > most:
        raise InvalidContractError(
            f"{changed} lines differ from what this iteration starts from; at most {most} may",
            lines=changed,
        )


def lineage_of(
    kind: GeneratorKind, step: str, parent: Candidate | None, job: "Job", author: "Author"
) -> Lineage:
    """Return where a candidate that a model wrote comes from."""
    request = job.request
    start = "a template" if parent is None else parent.strategy_id
    fields: dict[str, Any] = {} if parent is None else {"parents": (parent.hash,)}
    return Lineage(
        generator=kind,
        operator=step,
        generation=0 if parent is None else parent.lineage.generation + 1,
        note=f"Written by {job.model} from {start}.",
        island=(request.iteration - 1) % request.campaign.spec.islands.count,
        model=job.model,
        prompt=prompts.version(step),
        is_blind=job.hide.is_on,
        may_foreknow=author.may_foreknow(job),
        **fields,
    )
