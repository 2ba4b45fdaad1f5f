"""``stratlab contract``: schema, check, explain and format strategy contracts."""
# ruff: noqa: PLC0415 (keeps start-up fast: `--help` imports none of it)

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stratlab.cli.exit_codes import ExitCode
from stratlab.cli.options import JsonOption
from stratlab.cli.output import error_record, print_json, print_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from stratlab.contract.model import StrategyContract

app = typer.Typer(no_args_is_help=True, help="Strategies as documents: rules, risk, parameters.")

_ENDINGS = (".json", ".yaml", ".yml")
# One problem of a contract: where it is, in a rule also the column, and what it is.
_PROBLEM = re.compile(
    r"(?:(?P<path>[\w.$-]+): )?(?:col (?P<column>\d+): )?(?P<message>.*)", re.DOTALL
)
_FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="Contract, JSON or YAML.")]
_FilesArgument = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="Contracts, or directories of them.")
]


@app.command()
def schema(as_json: JsonOption = False) -> None:
    """Print the JSON schema of contracts."""
    from stratlab.contract.document import contract_schema

    found = contract_schema()
    if as_json:
        print_json(found)
        return
    import json

    _print_text(json.dumps(found, indent=2, sort_keys=True) + "\n")


@app.command()
def check(files: _FilesArgument, as_json: JsonOption = False) -> None:
    """Check contracts and that they compile; name each problem with its path and column.

    Ends with 1 when a contract has problems, with 2 when a file cannot be read.
    """
    records = [_checked(path) for path in _contracts(files)]
    is_ok = all(record["ok"] for record in records)
    if as_json:
        print_json({"ok": is_ok, "files": records})
    else:
        for record in records:
            _print_checked(record)
    if is_ok:
        raise typer.Exit(ExitCode.OK)
    unreadable = any(not record["ok"] and not record["problems"] for record in records)
    raise typer.Exit(ExitCode.USAGE if unreadable else ExitCode.STRATEGY)


@app.command()
def explain(file: _FileArgument, as_json: JsonOption = False) -> None:
    """Say in plain words what a contract does: indicators, rules, risk, warm-up, parameters."""
    from stratlab.contract.document import contract_hash
    from stratlab.contract.explanation import explain as explain_contract
    from stratlab.contract.lowering import history_sessions, longer_warm_up, warm_up_bars

    contract = _load(file)
    parts = explain_contract(contract)
    if as_json:
        parameters = contract.parameters
        print_json(
            {
                "strategy_id": contract.strategy_id,
                "version": contract.version,
                "hash": contract_hash(contract),
                "parameters": parameters,
                "warm_up": {
                    "bars": warm_up_bars(contract, parameters),
                    "longer_bars": longer_warm_up(contract, parameters),
                    "daily_bars_read": history_sessions(contract, parameters),
                },
                "explanation": parts,
            }
        )
        return
    for number, (heading, lines) in enumerate(parts.items()):
        if number:
            print_line()
        print_line(heading)
        for line in lines:
            print_line(f"  {line}")


@app.command("compile")
def compile_contract(file: _FileArgument, as_json: JsonOption = False) -> None:
    """Print the zipline source of a contract, as `stratlab backtest` takes it."""
    from stratlab.contract.document import contract_hash
    from stratlab.contract.zipline_source import compile_to_zipline

    contract = _load(file)
    source = compile_to_zipline(contract)
    if as_json:
        print_json({"hash": contract_hash(contract), "source": source})
    else:
        _print_text(source)


@app.command()
def fmt(
    files: _FilesArgument,
    check_only: Annotated[
        bool, typer.Option("--check", help="Change nothing; end with 1 if a file would change.")
    ] = False,
    write: Annotated[
        bool, typer.Option("--write", "-w", help="Write the files; comments are not kept.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Print contracts in their one canonical form: of JSON in a .json file, else of YAML."""
    from stratlab.contract.document import canonical_json, canonical_yaml, contract_hash
    from stratlab.domain.errors import InvalidInputError

    if check_only and write:
        raise InvalidInputError("--check and --write exclude each other", hint="Choose one.")
    records = []
    for path in _contracts(files):
        contract, text = _load(path), _read(path)
        canonical = (canonical_json if path.suffix == ".json" else canonical_yaml)(contract)
        if write and text != canonical:
            _write(path, canonical)
        records.append((path, contract, canonical, text == canonical))
    if as_json:
        print_json(
            [
                {
                    "file": str(path),
                    "hash": contract_hash(contract),
                    "is_canonical": is_canonical,
                    "written": write and not is_canonical,
                    "text": canonical,
                }
                for path, contract, canonical, is_canonical in records
            ]
        )
    elif check_only or write:
        for path, _, _, is_canonical in records:
            if not is_canonical:
                print_line(f"{path}: {'written' if write else 'would change'}")
    else:
        for _, _, canonical, _ in records:
            _print_text(canonical)
    if check_only and not all(is_canonical for *_, is_canonical in records):
        raise typer.Exit(ExitCode.STRATEGY)


def _contracts(paths: "Sequence[Path]") -> "Iterator[Path]":
    from stratlab.domain.errors import InvalidInputError

    for path in paths:
        if not path.is_dir():
            yield path
            continue
        found = sorted(each for each in path.rglob("*") if each.suffix in _ENDINGS)
        if not found:
            raise InvalidInputError(
                f"{path} holds no contract", hint=f"Contracts end with {', '.join(_ENDINGS)}."
            )
        yield from found


def _read(path: Path) -> str:
    from stratlab.cli.reading import read_text
    from stratlab.contract.document import MAX_DOCUMENT_BYTES
    from stratlab.domain.errors import InvalidContractError

    return read_text(path, MAX_DOCUMENT_BYTES, InvalidContractError)


def _load(path: Path) -> "StrategyContract":
    from stratlab.contract.document import load_contract
    from stratlab.domain.errors import InvalidContractError

    text = _read(path)
    try:
        return load_contract(text)
    except InvalidContractError as error:
        message = f"{path} is no valid contract: {'; '.join(error.message.splitlines())}"
        raise InvalidContractError(message, hint=error.hint, **error.data) from None


def _checked(path: Path) -> dict[str, Any]:
    from stratlab.contract.document import contract_hash, load_contract
    from stratlab.contract.zipline_source import compile_to_zipline
    from stratlab.domain.errors import InvalidContractError, InvalidInputError

    record: dict[str, Any] = {"file": str(path), "ok": False, "problems": []}
    try:
        contract = load_contract(_read(path))
        source = compile_to_zipline(contract)
    except InvalidContractError as error:
        return record | {"problems": [_problem(line) for line in error.message.splitlines()]}
    except InvalidInputError as error:
        return record | {"error": error_record(error)}
    return record | {
        "ok": True,
        "strategy_id": contract.strategy_id,
        "version": contract.version,
        "hash": contract_hash(contract),
        "parameters": contract.parameters,
        "source_lines": len(source.splitlines()),
    }


def _problem(line: str) -> dict[str, object]:
    found = _PROBLEM.fullmatch(line)
    parts = found.groupdict() if found else {"message": line}
    column = parts.get("column")
    return {
        "path": parts.get("path") or "",
        "column": int(column) if column else None,
        "message": parts["message"],
    }


def _print_checked(record: "Mapping[str, Any]") -> None:
    name = record["file"]
    if record["ok"]:
        print_line(f"{name}: ok, {record['strategy_id']} {record['version']} {record['hash'][:12]}")
    elif not record["problems"]:
        print_line(f"{name}: {record['error']['message']}")
    for problem in record["problems"]:
        where = f"{problem['path']}: " if problem["path"] else ""
        column = f"col {problem['column']}: " if problem["column"] else ""
        print_line(f"{name}: {where}{column}{problem['message']}")


def _write(path: Path, text: str) -> None:
    from stratlab.domain.errors import InvalidInputError

    # Whole or not at all, through a link to where it leads, with the rights that it had.
    target = path.resolve()
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.chmod(target.stat().st_mode & 0o7777)
        beside.replace(target)
    except OSError as error:
        beside.unlink(missing_ok=True)
        hint = "Give the path of a file that you may write."
        raise InvalidInputError(f"{path} cannot be written: {error.strerror}", hint=hint) from None


def _print_text(text: str) -> None:
    # As it is, for it may be meant for a file; a contract holds nothing that steers a terminal.
    sys.stdout.write(text)
    sys.stdout.flush()
