"""Reads contracts from JSON or YAML, and writes their one canonical form."""

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from stratlab.contract.language import format_rule, parse_rule
from stratlab.contract.model import StrategyContract
from stratlab.domain.errors import InvalidContractError

if TYPE_CHECKING:
    from yaml.nodes import MappingNode

MAX_DOCUMENT_BYTES = 256 * 1024
_SHOWN_PROBLEMS = 10


def load_contract(document: str | bytes | Mapping[str, Any]) -> StrategyContract:
    """Return the contract in a JSON or YAML text, or in a mapping of plain values.

    Raises:
        InvalidContractError: Names every problem with its path, one a line.
    """
    value = _read(document) if isinstance(document, str | bytes) else document
    if not isinstance(value, Mapping):
        raise InvalidContractError("a contract is a mapping of fields", path="")
    try:
        # Through JSON: strict about types, without Python's own tuples, dates and NaN.
        contract = StrategyContract.model_validate_json(json.dumps(value, allow_nan=False))
    except ValidationError as error:
        problems = _problems(error)
    except (TypeError, ValueError, RecursionError) as error:
        problems = [f"a contract holds texts, numbers, lists and mappings only: {error}"]
    else:
        return _with_canonical_rules(contract)
    shown = problems[:_SHOWN_PROBLEMS]
    if len(problems) > len(shown):
        shown.append(f"and {len(problems) - len(shown)} more")
    raise InvalidContractError("\n".join(shown), problems=len(problems))


def canonical_json(contract: StrategyContract) -> str:
    """Return the one text of a contract: indented JSON, sorted keys, a line break at the end."""
    fields = contract.model_dump(mode="json")
    return json.dumps(fields, sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def canonical_yaml(contract: StrategyContract) -> str:
    """Return the one text of a contract as YAML: the fields of :func:`canonical_json`."""
    import yaml  # noqa: PLC0415 - keeps start-up fast

    fields = contract.model_dump(mode="json")
    return str(yaml.safe_dump(fields, sort_keys=True, allow_unicode=True, width=100))


def contract_hash(contract: StrategyContract) -> str:
    """Return the sha256 of the canonical form, hex."""
    return hashlib.sha256(canonical_json(contract).encode()).hexdigest()


def contract_schema() -> dict[str, Any]:
    """Return the JSON schema of a contract document."""
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return dialect | StrategyContract.model_json_schema(mode="validation")


def _read(document: str | bytes) -> object:
    raw = document.encode(errors="surrogatepass") if isinstance(document, str) else document
    if len(raw) > MAX_DOCUMENT_BYTES:
        raise InvalidContractError(f"the document is larger than {MAX_DOCUMENT_BYTES} bytes")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise InvalidContractError(f"the document is not UTF-8 at byte {error.start}") from None
    try:
        if text.lstrip().startswith("{"):
            return json.loads(text, object_pairs_hook=_distinct)
        return _read_yaml(text)
    except RecursionError:
        raise InvalidContractError("the document is nested too deeply") from None
    except ValueError as error:
        raise InvalidContractError(f"the document cannot be read: {error}") from None


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = sorted({name for name in names if names.count(name) > 1})
        message = f"a field appears twice: {', '.join(repeated)}"
        raise ValueError(message)
    return fields


def _read_yaml(text: str) -> object:
    import yaml  # noqa: PLC0415 - keeps start-up fast

    class Loader(yaml.SafeLoader):
        """Plain values only: no aliases (they can grow without bound) and no repeated fields."""

        def compose_node(self, parent: Any, index: Any) -> Any:  # noqa: ANN401 - yaml's signature
            if self.check_event(yaml.AliasEvent):
                raise ValueError("aliases are not allowed")
            return super().compose_node(parent, index)

        def construct_mapping(self, node: "MappingNode", deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - yaml's signature
            pairs = [(str(self.construct_object(key)), key) for key, _ in node.value]
            _distinct(list(pairs))
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(text, Loader)  # noqa: S506 - a subclass of the safe loader
    except yaml.YAMLError as error:
        message = " ".join(str(error).split())
        raise ValueError(message) from None


def _with_canonical_rules(contract: StrategyContract) -> StrategyContract:
    # Only now: the columns of errors are those of the author's own text.
    rules = {
        path: tuple(
            rule.model_copy(update={"when": format_rule(parse_rule(rule.when))})
            for rule in getattr(contract, path)
        )
        for path in ("entry_rules", "exit_rules")
    }
    return contract.model_copy(update=rules)


def _problems(error: ValidationError) -> list[str]:
    lines = []
    details = error.errors()
    for item in details:
        message, place = str(item["msg"]), item["loc"]
        inner = any(other["loc"][: len(place)] == place != other["loc"] for other in details)
        if item["type"] == "contract":
            lines.extend(message.splitlines())
        elif not inner:
            # Else a list is called too short because its entries were refused.
            lines.append(f"{'.'.join(map(str, place)) or 'contract'}: {message}")
    return lines
