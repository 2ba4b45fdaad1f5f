"""Data sets that the tests of this folder share."""

import shutil
from importlib.resources import files
from pathlib import Path

import pandas as pd
import pytest
from tests.market_data.helpers import IMAGE, DescriptionJobs, DockerJobs, docker

from stratlab.market_data import build_us_daily
from stratlab.market_data.content import Content
from stratlab.market_data.us_daily.recipe import load_us_daily


@pytest.fixture(scope="session")
def host_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the host's part of us-daily, built without the image."""
    home = tmp_path_factory.mktemp("host_home")
    build_us_daily(home, DescriptionJobs())
    return home


@pytest.fixture(scope="session")
def sandbox_image() -> str:
    """The tag of the sandbox image, or a skip that says what is missing."""
    if shutil.which("docker") is None:
        pytest.skip("the docker command is missing: run `make engine`")
    if docker("image", "inspect", IMAGE).returncode:
        pytest.skip(f"the image {IMAGE} is missing: run `make image`")
    return IMAGE


@pytest.fixture(scope="session")
def docker_home(sandbox_image: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with us-daily as the product builds it."""
    home = tmp_path_factory.mktemp("docker_home")
    build_us_daily(home, DockerJobs())
    return home


@pytest.fixture(scope="session")
def us_daily() -> Content:
    """The canonical content of us-daily."""
    return load_us_daily()


@pytest.fixture(scope="session")
def us_daily_raw() -> pd.DataFrame:
    """The vendored file as it is."""
    resource = files("stratlab.market_data.us_daily") / "stocks.csv.gz"
    with resource.open("rb") as file:
        return pd.read_csv(file, compression="gzip", float_precision="round_trip")
