"""The checks of `stratlab doctor`: the sandbox's own, and settings, data, store, clock, server."""

import asyncio
import errno
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep, time, tzname

import stratlab
from stratlab.api.listener import socket_path
from stratlab.api.network import network_of
from stratlab.cli.hosting import private_home
from stratlab.cli.logs import logging_to_home
from stratlab.client import Client
from stratlab.domain.errors import InvalidInputError, StratlabError, from_os_error
from stratlab.domain.ports import Leases
from stratlab.market_data import Catalogue
from stratlab.sandbox import (
    Diagnosis,
    DockerEngine,
    DockerSandbox,
    diagnose,
    diagnose_runtimes,
)
from stratlab.settings import Settings, unknown_variables
from stratlab.store import open_repository

_CLOCK_SECONDS = 0.2
_MAX_CLOCK_DRIFT = 0.05  # of the two clocks within that time
_MAX_CLOCK_LAG = 86_400.0  # behind the newest thing that is known to be past


def check_everything(settings: Settings, runtimes: Sequence[str] = ()) -> list[Diagnosis]:
    """Return one line per check; never raises a typed error.

    Args:
        settings: All of them.
        runtimes: Whose limits to prove; empty for the configured one.
    """
    checks: dict[str, Callable[[Settings], Iterable[Diagnosis]]] = {
        "settings": _settings,
        "sandbox": lambda given: diagnose(given.sandbox, given.home_path),
        "limits": lambda given: _limits(given, runtimes or (given.sandbox.runtime,)),
        "data": _data,
        "store": _store,
        "clock": _clock,
        "server": _server,
        "listener": _listener,
        "language model": _language_model,
    }
    return [line for name, check in checks.items() for line in _guarded(name, check, settings)]


def _guarded(
    name: str, check: Callable[[Settings], Iterable[Diagnosis]], settings: Settings
) -> list[Diagnosis]:
    try:
        return list(check(settings))
    except StratlabError as error:
        return [_failed(name, error)]
    except OSError as error:
        return [_failed(name, from_os_error(error))]


def _settings(settings: Settings) -> Iterable[Diagnosis]:
    unknown = unknown_variables()
    yield Diagnosis(
        "settings",
        ok=not unknown,
        detail=f"no setting is called {', '.join(unknown)}"
        if unknown
        else f"valid; home directory {settings.home_path}",
        remedy="Correct or unset these variables: they have no effect." if unknown else "",
    )


def _limits(settings: Settings, runtimes: Sequence[str]) -> Iterable[Diagnosis]:
    try:
        with closing(DockerEngine(settings.sandbox.engine)) as engine:
            engine.info().require_own_user_ids()
            engine.resolve_image(settings.sandbox.image)
    except StratlabError:
        return []  # "engine", "user ids" or "image" say what is wrong
    home = private_home(settings)
    with logging_to_home(home), closing(open_repository(settings.store_url)) as repository:
        return asyncio.run(_proven(settings, home, repository.leases(), runtimes))


async def _proven(
    settings: Settings, home: Path, leases: Leases, runtimes: Sequence[str]
) -> list[Diagnosis]:
    # keeps start-up fast: most checks need no loop and no generators
    from stratlab.bootstrap import SystemClock  # noqa: PLC0415

    async with DockerSandbox.open(
        settings.sandbox.model_copy(update={"runtime": runtimes[0]}),
        home,
        leases,
        Catalogue(home),
        SystemClock(),
    ) as sandbox:
        return await diagnose_runtimes(sandbox, runtimes)


def _data(settings: Settings) -> Iterable[Diagnosis]:
    catalogue = Catalogue(settings.home_path)
    data_sets = catalogue.list()
    if not data_sets:
        remedy = "Run `stratlab data build us-daily`."
        yield Diagnosis("data", ok=False, detail="no data set", remedy=remedy)
    for data_set in data_sets:
        yield _data_set(catalogue, data_set.name)


def _data_set(catalogue: Catalogue, name: str) -> Diagnosis:
    title = f"data set {name}"
    try:
        catalogue.verify(name)
    except StratlabError as error:
        return _failed(title, error)
    return Diagnosis(title, ok=True, detail="every byte is as it was built")


def _store(settings: Settings) -> Iterable[Diagnosis]:
    private_home(settings)
    with closing(open_repository(settings.store_url)) as repository:
        unfinished = len(repository.unfinished_campaigns())
        newest = next(iter(repository.list_campaigns(limit=1)), None)
    yield Diagnosis("store", ok=True, detail=f"opens; {unfinished} unfinished campaigns")
    if newest is not None and newest.updated_at > datetime.now(UTC):
        yield Diagnosis(
            "clock against the store",
            ok=False,
            detail=f"a campaign was changed at {newest.updated_at.isoformat()}, in the future",
            remedy="Set the clock (`timedatectl set-ntp true`): deadlines and audit rest on it.",
        )


def _clock(settings: Settings) -> Iterable[Diagnosis]:
    del settings
    wall, steady = time(), monotonic()
    sleep(_CLOCK_SECONDS)
    drift = (time() - wall) - (monotonic() - steady)
    # Our own files cannot be younger than now.
    lag = Path(str(stratlab.__file__)).stat().st_mtime - wall
    remedy = "Set the clock (`timedatectl set-ntp true`); let it be slewed, not stepped."
    if abs(drift) > _MAX_CLOCK_DRIFT:
        detail = f"the wall clock moved {drift:+.2f} s against the steady one within a moment"
        yield Diagnosis("clock", ok=False, detail=detail, remedy=remedy)
    elif lag > _MAX_CLOCK_LAG:
        detail = f"the wall clock is at least {lag / 86_400:.0f} days behind"
        yield Diagnosis("clock", ok=False, detail=detail, remedy=remedy)
    else:
        now = datetime.fromtimestamp(wall, UTC).isoformat(timespec="seconds")
        detail = f"{now}, steady; all times are UTC, the local zone ({tzname[0]}) is not used"
        yield Diagnosis("clock", ok=True, detail=detail)


def _server(settings: Settings) -> Iterable[Diagnosis]:
    # None is no fault: commands start their own.
    if not _is_running(settings):
        yield Diagnosis("server", ok=True, detail="none runs")
        return
    with Client(settings.address) as client:
        proven = "proven" if client.is_sandbox_ready() else "not proven yet"
    yield Diagnosis("server", ok=True, detail=f"answers; the sandbox is {proven}")


def _listener(settings: Settings) -> Iterable[Diagnosis]:
    try:
        path = socket_path(settings.address)
    except InvalidInputError as error:
        # Commands find a shorter place for themselves; a server for others cannot.
        yield _failed("listener", error)
        return
    yield Diagnosis("listener", ok=True, detail=f"unix socket {path}")
    network = network_of(settings.server, settings.token_path)
    if network is None:
        yield Diagnosis("port", ok=True, detail="none: server.listen is empty")
        return
    in_use = not _is_running(settings) and _is_taken(network.address)
    yield Diagnosis(
        "port",
        ok=not in_use,
        detail=f"{network.address} is {'in use by another program' if in_use else 'usable'}",
        remedy="Find that program with `ss -ltnp`, or set server.listen to another port."
        if in_use
        else "",
    )


def _language_model(settings: Settings) -> Iterable[Diagnosis]:
    # keeps start-up fast: most checks need no generators
    from stratlab.wiring_models import api_key  # noqa: PLC0415

    try:
        key = "there is a key" if api_key(settings) else "no key"
    except StratlabError as error:
        yield _failed("language model", error)
        return
    detail = f"{', '.join(settings.llm.models)} at {settings.llm.endpoint}, {key}"
    yield Diagnosis("language model", ok=True, detail=f"{detail}; hybrid and claude need one")


def _is_running(settings: Settings) -> bool:
    try:
        socket_path(settings.address)
    except InvalidInputError:
        return False  # nor can one
    with Client(settings.address) as client:
        return client.is_serving()


def _is_taken(address: str) -> bool:
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), int(port)))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            raise
    return False


def _failed(name: str, error: StratlabError) -> Diagnosis:
    return Diagnosis(name, ok=False, detail=error.message, remedy=error.hint)
