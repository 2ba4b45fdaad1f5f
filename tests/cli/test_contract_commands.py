"""`stratlab contract` and `stratlab catalogue`: output, JSON, exit codes, and files that change."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.conftest import Ended
from tests.contract.samples import sample_fields

from stratlab.contract.document import (
    canonical_json,
    canonical_yaml,
    contract_hash,
    contract_schema,
    load_contract,
)
from stratlab.contract.indicators import REGISTRY
from stratlab.contract.zipline_source import compile_to_zipline
from stratlab.domain.errors import InvalidContractError
from stratlab.generation import load_templates


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.yaml"
    path.write_text(f"# a comment\n{yaml.safe_dump(sample_fields(), sort_keys=False)}")
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    fields = sample_fields()
    fields["entry_rules"][0]["when"] = "fast >  nope"
    fields["risk_model"]["stop"]["indicator"] = "fast"
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(fields))
    return path


def test_schema_is_the_models(stratlab) -> None:
    for arguments in ((), ("--json",)):
        ended: Ended = stratlab("contract", "schema", *arguments)
        assert ended.code == 0
        assert json.loads(ended.out) == contract_schema()
    jsonschema.validate(sample_fields(), json.loads(ended.out))


def test_check_good_contract_names_it(stratlab, good: Path) -> None:
    ended = stratlab("contract", "check", str(good))
    assert ended.code == 0
    assert f"{good}: ok, sample 1.2.3 " in ended.out
    record = json.loads(stratlab("contract", "check", str(good), "--json").out)
    assert record["ok"] is True
    (file,) = record["files"]
    assert file["hash"] == contract_hash(load_contract(sample_fields()))
    assert file["parameters"] == {"mult": 3.0, "slow": 20}


def test_check_bad_contract_names_paths_and_columns(stratlab, bad: Path, good: Path) -> None:
    ended = stratlab("contract", "check", str(good), str(bad))
    assert ended.code == 1
    assert f"{bad}: entry_rules.up.when: col 9: unknown series 'nope'; known: " in ended.out
    assert f"{bad}: risk_model.stop.indicator: 'fast' is no atr" in ended.out
    record = json.loads(stratlab("contract", "check", str(bad), "--json").out)
    first, second = record["files"][0]["problems"]
    assert (first["path"], first["column"]) == ("entry_rules.up.when", 9)
    assert (second["path"], second["column"]) == ("risk_model.stop.indicator", None)


def test_check_directory_takes_every_contract_in_it(stratlab, good: Path, bad: Path) -> None:
    ended = stratlab("contract", "check", str(good.parent), "--json")
    assert ended.code == 1
    assert [file["file"] for file in json.loads(ended.out)["files"]] == [str(bad), str(good)]
    assert stratlab("contract", "check", str(good.parent / "home")).code == 2


@pytest.mark.parametrize("command", ["check", "explain", "fmt"])
@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"", b"[" * 100_000, b"x" * 300_000])
def test_hostile_file_ends_with_typed_error(
    stratlab, tmp_path: Path, command: str, content: bytes | None
) -> None:
    path = tmp_path / "hostile.yaml"
    if content is not None:
        path.write_bytes(content)
    ended = stratlab("contract", command, str(path), "--json")
    assert ended.code in {1, 2}
    told = json.loads(ended.out)
    assert "error" in told or not told["ok"]
    assert (ended.code == 1) == (command == "check" and content is not None)


def test_explain_tells_in_words_and_numbers(stratlab, good: Path, bad: Path) -> None:
    ended = stratlab("contract", "explain", str(good))
    assert ended.code == 0
    assert "open a long position when fast crosses above slow" in ended.out
    told = json.loads(stratlab("contract", "explain", str(good), "--json").out)
    assert told["warm_up"] == {"bars": 20, "longer_bars": {}, "daily_bars_read": 310}
    assert "Entries" in told["explanation"]
    refused = stratlab("contract", "explain", str(bad))
    assert refused.code == 2
    assert "col 9: unknown series 'nope'" in refused.err
    assert refused.out == ""


def test_compile_prints_the_source_that_screening_takes(stratlab, good: Path, bad: Path) -> None:
    ended = stratlab("contract", "compile", str(good))
    assert ended.code == 0
    assert ended.out == compile_to_zipline(load_contract(sample_fields()))
    source = good.with_suffix(".py")
    source.write_text(ended.out)
    assert stratlab("validate", str(source)).code == 0
    assert (
        json.loads(stratlab("contract", "compile", str(good), "--json").out)["source"] == ended.out
    )
    assert stratlab("contract", "compile", str(bad)).code == 2


def test_fmt_prints_checks_and_writes_the_one_form(stratlab, good: Path) -> None:
    contract = load_contract(sample_fields())
    before = good.read_text()
    assert stratlab("contract", "fmt", str(good)).out == canonical_yaml(contract)
    checked = stratlab("contract", "fmt", "--check", str(good))
    assert (checked.code, good.read_text()) == (1, before)
    assert f"{good}: would change" in checked.out
    good.chmod(0o640)
    assert stratlab("contract", "fmt", "--write", str(good)).code == 0
    assert good.read_text() == canonical_yaml(contract)
    assert good.stat().st_mode & 0o777 == 0o640
    assert stratlab("contract", "fmt", "--check", str(good)).code == 0
    assert list(good.parent.glob(".*")) == []
    assert stratlab("contract", "fmt", "--check", "--write", str(good)).code == 2


def test_fmt_follows_the_syntax_of_the_file(stratlab, tmp_path: Path) -> None:
    path = tmp_path / "contract.json"
    path.write_text(json.dumps(sample_fields()))
    (record,) = json.loads(stratlab("contract", "fmt", "-w", str(path), "--json").out)
    assert record["written"] is True
    assert path.read_text() == record["text"] == canonical_json(load_contract(sample_fields()))


def test_fmt_file_that_cannot_be_written_is_left_whole(stratlab, good: Path, monkeypatch) -> None:
    before = good.read_text()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    ended = stratlab("contract", "fmt", "--write", str(good))
    assert ended.code == 2
    assert "cannot be written: No space left on device" in ended.err
    assert good.read_text() == before


PROSE = st.text(st.characters(exclude_categories=("Cs",)), max_size=200)


@given(PROSE, PROSE)
def test_both_syntaxes_hold_any_prose_that_is_allowed(thesis: str, note: str) -> None:
    fields = sample_fields() | {"thesis": thesis}
    fields["entry_rules"][0]["note"] = note
    try:
        contract = load_contract(fields)
    except InvalidContractError:
        return
    for write in (canonical_json, canonical_yaml):
        text = write(contract)
        assert load_contract(text) == contract
        assert write(load_contract(text)) == text
        assert all(c.isprintable() or c.isspace() or c > "\x9f" for c in text)


def test_catalogue_of_contracts_is_the_registry(stratlab) -> None:
    told = json.loads(stratlab("catalogue", "--contract", "--json").out)
    assert [each["name"] for each in told["contract"]["indicators"]] == sorted(REGISTRY)
    assert told["data_sets"] == []
    assert told["sandbox"] is None
    assert "indicators (12)" in stratlab("catalogue", "--contract").out
    assert stratlab("catalogue", "--json", "--prompt").code == 2


def test_templates_pass_the_check(stratlab, tmp_path: Path) -> None:
    for name, contract in load_templates().items():
        (tmp_path / f"{name}.yaml").write_text(canonical_yaml(contract))
    assert stratlab("contract", "check", str(tmp_path)).code == 0
    assert stratlab("contract", "fmt", "--check", str(tmp_path)).code == 0
