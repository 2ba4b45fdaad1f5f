"""What an author does with answers that cannot be used, and with those that can."""

import json
import random

import pytest
from tests.llm.grammar import a_form
from tests.llm.histories import a_candidate, a_request, a_summary
from tests.llm.test_injections import a_brief, the_form
from tests.suites.small_lab import PanelData

from stratlab.contract.document import load_contract
from stratlab.contract.zipline_source import compile_to_zipline
from stratlab.domain.errors import BudgetExhaustedError, ModelFailedError
from stratlab.domain.spending import TokenUsage
from stratlab.domain.strategy import GeneratorKind
from stratlab.generation.authors import Author, AuthorSettings, CodeGenerator, HybridGenerator
from stratlab.generation.authors.forms import ContractForm, contract_document, form_of
from stratlab.generation.templates import load_templates
from stratlab.llm import Answer, Call, Role
from stratlab.llm.extraction import read_form

GOOD = json.dumps(the_form())
UNKNOWN = json.dumps(
    the_form(entry_rules=[{"id": "enter", "side": "long", "when": "close > nothing_like_it"}])
)


class Told:
    """Gives the answers that it was given, each with its stop reason."""

    def __init__(self, *answers: str | tuple[str, str] | Exception) -> None:
        self.answers = list(answers)
        self.calls: list[Call] = []

    def ask(self, call: Call) -> Answer:
        self.calls.append(call)
        answer = self.answers[len(self.calls) - 1]
        if isinstance(answer, Exception):
            raise answer
        text, stop = answer if isinstance(answer, tuple) else (answer, "end_turn")
        return Answer(text, stop, TokenUsage())

    @property
    def last_words(self) -> str:
        return self.calls[-1].prompt.turns[-1].text


def author(models: Told, **settings: object) -> Author:
    chosen = AuthorSettings(("claude-test",), **settings)
    return Author(models, chosen, PanelData(), lambda: "surface")


def test_problem_goes_back_word_for_word_and_the_correction_counts() -> None:
    models = Told(a_brief(), UNKNOWN, GOOD)
    made = HybridGenerator(author(models)).generate(a_request())
    assert made.lineage.generator is GeneratorKind.HYBRID
    assert "unknown series 'nothing_like_it'" in models.last_words
    assert [call.place for call in models.calls] == [
        "0001/brief",
        "0001/contract",
        "0001/contract/repair-1",
    ]
    roles = [turn.role for turn in models.calls[-1].prompt.turns]
    assert roles == [Role.USER, Role.ASSISTANT] * 2 + [Role.USER]


def test_third_answer_that_cannot_be_used_is_the_last() -> None:
    models = Told(a_brief(), UNKNOWN, UNKNOWN, UNKNOWN, GOOD)
    with pytest.raises(ModelFailedError, match="3 tries") as caught:
        HybridGenerator(author(models)).generate(a_request())
    assert len(models.calls) == 4
    assert caught.value.data["cause"] == "NOT_REPAIRED"


def test_refusal_is_not_argued_with() -> None:
    models = Told(a_brief(), ("", "refusal"), GOOD)
    with pytest.raises(ModelFailedError, match="refused"):
        HybridGenerator(author(models)).generate(a_request())
    assert len(models.calls) == 2


def test_answer_that_was_cut_is_asked_for_again_shorter() -> None:
    models = Told(a_brief(), (GOOD[:50], "max_tokens"), GOOD)
    HybridGenerator(author(models)).generate(a_request())
    assert "max_tokens" in models.last_words


def test_empty_budget_fails_the_iteration() -> None:
    models = Told(BudgetExhaustedError("too little is left"))
    with pytest.raises(ModelFailedError) as caught:
        HybridGenerator(author(models)).generate(a_request())
    assert caught.value.data["cause"] == "BUDGET_EXHAUSTED"


def test_footprint_against_the_parent_is_limited() -> None:
    parent = a_candidate(1)
    history = [a_summary(1, candidate=parent)]
    models = Told(a_brief(), GOOD, GOOD, GOOD)
    with pytest.raises(ModelFailedError, match="lines differ"):
        HybridGenerator(author(models, footprint=5)).generate(a_request(history))
    made = HybridGenerator(author(Told(a_brief(), GOOD))).generate(a_request(history))
    assert made.lineage.parents == (parent.hash,)
    assert made.lineage.generation == 1


def test_first_candidate_starts_from_a_template_and_has_no_parent() -> None:
    made = HybridGenerator(author(Told(a_brief(), GOOD))).generate(a_request())
    assert (made.lineage.parents, made.lineage.generation) == ((), 0)
    assert (made.lineage.model, made.lineage.prompt) == ("claude-test", "contract/1")
    assert made.contract


def code_of(form: dict) -> str:
    structure = {"schema_version": "1.0.0", "version": "1.0.0"}
    contract = load_contract(contract_document(ContractForm.model_validate(form), structure))
    return compile_to_zipline(contract)


@pytest.mark.parametrize("style", ["json", "fences"])
def test_code_comes_with_the_contract_that_describes_it(style: str) -> None:
    form = the_form()
    code = code_of(form)
    answer = (
        json.dumps({"code": code, "contract": form})
        if style == "json"
        else f"The code:\n```python\n{code}```\nand\n```json\n{json.dumps(form)}\n```\n"
    )
    made = CodeGenerator(author(Told(a_brief(), answer))).generate(a_request())
    assert made.source.strip() == code.strip()
    assert (made.contract, json.loads(made.described_by)["strategy_id"]) == (
        "",
        form["strategy_id"],
    )
    assert made.lineage.generator is GeneratorKind.CLAUDE


def test_code_that_is_no_python_goes_back_with_its_line() -> None:
    bad = json.dumps({"code": "def initialize(context:\n    pass\n", "contract": the_form()})
    good = json.dumps({"code": code_of(the_form()), "contract": the_form()})
    models = Told(a_brief(), bad, good)
    CodeGenerator(author(models)).generate(a_request())
    assert "line 1" in models.last_words


@pytest.mark.parametrize("name", list(load_templates()))
def test_form_holds_all_that_a_template_says(name: str) -> None:
    document = load_templates()[name].model_dump(mode="json")
    rebuilt = load_contract(contract_document(form_of(document), document))
    assert rebuilt == load_contract(document)


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"```json\n{GOOD}\n```",
        f"```\n{GOOD}\n```",
        f"Sure!\n\n```json\n{GOOD}\n```\nDone.",
        f"I think: {GOOD} That is it.",
    ],
)
def test_structured_answer_is_found_wherever_it_stands(text: str) -> None:
    assert read_form(text, ContractForm) == ContractForm.model_validate(the_form())


@pytest.mark.parametrize("text", ["", "no", "{", "[]", "null", "```json\n{}\n```", "{" * 100_000])
def test_text_without_an_answer_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_form(text, ContractForm)


def test_forms_of_the_grammar_are_contracts() -> None:
    for seed in range(40):
        assert code_of(a_form(random.Random(seed)))
