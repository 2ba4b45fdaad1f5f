"""The checks of `stratlab doctor`: the sandbox's own, and data, store and server."""

from contextlib import closing

from stratlab.cli.hosting import private_home
from stratlab.client import Client
from stratlab.domain.errors import StratlabError
from stratlab.market_data import Catalogue
from stratlab.sandbox import Diagnosis, diagnose
from stratlab.settings import Settings
from stratlab.store import open_repository


def check_everything(settings: Settings) -> list[Diagnosis]:
    """Return one line per check; never raises a typed error."""
    return [
        *diagnose(settings.sandbox, settings.home_path),
        *_data(settings),
        _store(settings),
        _server(settings),
    ]


def _data(settings: Settings) -> list[Diagnosis]:
    catalogue = Catalogue(settings.home_path)
    try:
        data_sets = catalogue.list()
    except StratlabError as error:
        return [_failed("data", error)]
    if not data_sets:
        return [
            Diagnosis(
                "data", ok=False, detail="no data set", remedy="Run `stratlab data build us-daily`."
            )
        ]
    return [_data_set(catalogue, data_set.name) for data_set in data_sets]


def _data_set(catalogue: Catalogue, name: str) -> Diagnosis:
    title = f"data set {name}"
    try:
        catalogue.verify(name)
    except StratlabError as error:
        return _failed(title, error)
    return Diagnosis(title, ok=True, detail="every byte is as it was built")


def _store(settings: Settings) -> Diagnosis:
    try:
        private_home(settings)
        with closing(open_repository(settings.store_url)) as repository:
            unfinished = len(repository.unfinished_campaigns())
    except StratlabError as error:
        return _failed("store", error)
    return Diagnosis("store", ok=True, detail=f"opens; {unfinished} unfinished campaigns")


def _server(settings: Settings) -> Diagnosis:
    # None is no fault: commands start their own.
    try:
        with Client(settings.address) as client:
            if not client.is_serving():
                return Diagnosis("server", ok=True, detail="none runs")
            proven = "proven" if client.is_sandbox_ready() else "not proven yet"
    except StratlabError as error:
        return _failed("server", error)
    return Diagnosis("server", ok=True, detail=f"answers; the sandbox is {proven}")


def _failed(name: str, error: StratlabError) -> Diagnosis:
    return Diagnosis(name, ok=False, detail=error.message, remedy=error.hint)
