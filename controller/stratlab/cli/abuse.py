"""`stratlab doctor --abuse`: a controller of its own, secrets planted around it, and every case."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from stratlab.abuse.bench import Bench, CaseReport
from stratlab.abuse.catalogue import run_all
from stratlab.abuse.escape import PLANTED
from stratlab.bootstrap import build_data_set
from stratlab.cli.hosting import in_thread, private_home, serve_lab
from stratlab.cli.logs import logging_to_home
from stratlab.cli.output import print_json, print_line
from stratlab.client import Client
from stratlab.sandbox import DockerEngine, installation_id
from stratlab.settings import Settings

DATA_SET: Final = "us-daily"


def report_abuse(
    settings: Settings,
    runtimes: Collection[str],
    names: Collection[str],
    *,
    full: bool,
    as_json: bool,
) -> bool:
    """Run the abuse suite under each runtime, print a table, and return whether all holds.

    Args:
        settings: All of them.
        runtimes: One after the other.
        names: Of cases to run; empty for all.
        full: Whether bursts and stalls have full size.
        as_json: Whether to print one JSON object at the end instead.

    Raises:
        StratlabError: The controller or its sandbox cannot be started.
    """
    reports: list[CaseReport] = []
    for runtime in runtimes:
        with open_bench(settings, runtime) as bench:
            for report in run_all(bench, names, full=full):
                reports.append(report)
                if not as_json:
                    _print_report(report)
    failed = [report for report in reports if not report.holds]
    if as_json:
        print_json({"ok": not failed, "cases": [_record(report) for report in reports]})
    else:
        print_line(f"{len(reports) - len(failed)} of {len(reports)} cases hold.")
    return not failed


def _print_report(report: CaseReport) -> None:
    mark = "ok  " if report.holds else "FAIL"
    rows = f", {len(report.results)} attempts" if report.results else ""
    print_line(
        f"{mark}  {report.runtime:<11} {report.name:<36} {report.outcome or '-':<18} "
        f"{report.seconds:6.1f} s{rows}"
    )
    for complaint in report.complaints:
        print_line(f"        {complaint}")


def _record(report: CaseReport) -> dict[str, object]:
    return {
        "name": report.name,
        "group": report.group,
        "runtime": report.runtime,
        "ok": report.holds,
        "outcome": report.outcome or None,
        "seconds": round(report.seconds, 2),
        "complaints": list(report.complaints),
        "attempts": dict(report.results),
        "defence": report.defence,
    }


@contextmanager
def open_bench(settings: Settings, runtime: str, built: Path | None = None) -> Iterator[Bench]:
    """Start a controller in a fresh home directory below the configured one, and yield a bench.

    Everything of it is removed afterwards.

    Args:
        settings: Whose engine, image and limits are used.
        runtime: Of every case.
        built: A home directory that has the data set; None to build it.

    Raises:
        SandboxNotReadyError: The image or the runtime is missing, or a limit is unproven.
        EngineUnavailableError: No engine answers.
        StratlabError: The controller cannot be started.
    """
    token = secrets.token_hex(4)
    home = private_home(settings) / f"abuse-{token}"
    variable = f"CANARY_{token}"
    own = _settings_in(settings, home, runtime)
    home.mkdir(mode=0o700)
    try:
        (home / "secret.txt").write_text(PLANTED, "utf-8")
        os.environ[variable] = PLANTED  # noqa: TID251 - planted, so that it can be looked for
        if built is None:
            build_data_set(own, DATA_SET)
        else:
            shutil.copytree(built / "data", home / "data", copy_function=os.link)
        with (
            logging_to_home(private_home(settings)),
            # The home directory may be too deep for a socket.
            tempfile.TemporaryDirectory(prefix="stratlab-") as sockets,
            in_thread(serve_lab(own, f"unix:{sockets}/stratlab.sock")) as address,
            Client(address) as client,
            closing(DockerEngine(own.sandbox.engine, own.sandbox.engine_seconds)) as engine,
        ):
            yield Bench(
                client,
                engine,
                installation_id(home),
                home,
                runtime,
                DATA_SET,
                own.sandbox.cgroup_parent,
            )
    finally:
        os.environ.pop(variable, None)  # noqa: TID251 - the same
        shutil.rmtree(home, ignore_errors=True)


def _settings_in(settings: Settings, home: Path, runtime: str) -> Settings:
    host_home = settings.sandbox.host_home
    sandbox = settings.sandbox.model_copy(
        update={
            "runtime": runtime,
            "host_home": f"{host_home}/{home.name}" if host_home else "",
            # What waits for work would be taken for what a case left behind.
            "pool_low": 0,
        }
    )
    return settings.model_copy(
        update={
            "home": home,
            "sandbox": sandbox,
            "store": settings.store.model_copy(update={"url": f"sqlite:///{home}/{PLANTED}.db"}),
            "server": settings.server.model_copy(update={"address": "", "listen": ""}),
        }
    )
