"""Writes candidates by a model that writes free zipline code and the contract describing it."""

import ast
import json
from typing import TYPE_CHECKING, final

from stratlab.contract.candidate import candidate_hash
from stratlab.contract.document import canonical_json, load_contract
from stratlab.contract.zipline_source import compile_to_zipline
from stratlab.domain.errors import InvalidSourceError
from stratlab.domain.strategy import Candidate, GeneratorKind
from stratlab.generation.authors import prompts
from stratlab.generation.authors.forms import CodeForm, ContractForm, contract_document
from stratlab.generation.authors.hybrid import lineage_of, require_footprint, starting_point
from stratlab.llm.extraction import fenced, read_form
from stratlab_runner.contract import MAX_SOURCE_BYTES

if TYPE_CHECKING:
    from stratlab.contract.model import StrategyContract
    from stratlab.domain.generation import GenerationRequest
    from stratlab.generation.authors.author import Author

STEP = "code"


@final
class CodeGenerator:
    """Implements the ``Generator`` port: brief, then code with the contract it should follow."""

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
        parent = start.parent
        before = parent.source if parent is not None and parent.source else ""
        shown = before or compile_to_zipline(load_contract(start.text))
        job = self._author.with_brief(self._author.begin(request))
        structure = json.loads(start.text)
        footprint = self._author.settings.footprint

        def make(form: CodeForm) -> "tuple[str, StrategyContract]":
            contract = load_contract(contract_document(form.contract, structure))
            source = f"{form.code.strip()}\n"
            require_readable(source)
            if before:
                require_footprint(before, source, footprint)
            return source, contract

        source, contract = self._author.write(
            job,
            STEP,
            prompts.fill(
                "code", structure=f"```python\n{shown.strip()}\n```", footprint=str(footprint)
            ),
            CodeForm,
            read_code,
            make,
        )
        described = canonical_json(contract)
        return Candidate(
            hash=candidate_hash("", source),
            strategy_id=contract.strategy_id,
            thesis=contract.thesis,
            source=source,
            contract="",
            parameters=contract.parameters,
            lineage=lineage_of(GeneratorKind.CLAUDE, STEP, parent, job, self._author),
            parameter_points=(contract.parameters,),
            described_by=described,
        )


def read_code(answer: str) -> CodeForm:
    """Return code and contract of an answer: one JSON object, or a fence for each.

    Raises:
        ValueError: They are not there, or do not fit.
    """
    code = fenced(answer, "python", "py", "python3")
    if code is None:
        return read_form(answer, CodeForm)
    return CodeForm(code=code, contract=read_form(answer.replace(code, ""), ContractForm))


def require_readable(source: str) -> None:
    """Refuse what is no Python program of a size that can be run.

    Raises:
        InvalidSourceError: Says where it cannot be read.
    """
    if len(source.encode(errors="surrogatepass")) > MAX_SOURCE_BYTES:
        raise InvalidSourceError(f"the source is larger than {MAX_SOURCE_BYTES} bytes")
    try:
        ast.parse(source)
    except SyntaxError as error:
        raise InvalidSourceError(f"line {error.lineno}: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise InvalidSourceError(f"the source cannot be read: {error}") from None
