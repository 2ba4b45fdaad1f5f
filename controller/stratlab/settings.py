"""Settings: file < environment < command line; the only reader of the environment."""

import os
from functools import lru_cache
from pathlib import Path
from typing import final

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


@final
class StoreSettings(_Section):
    """Where rows are kept.

    Attributes:
        url: SQLAlchemy URL; empty for ``stratlab.db`` in the home directory.
    """

    url: str = ""


@final
class SandboxSettings(_Section):
    """How containers are made.

    Attributes:
        image: Tag of the sandbox image; resolved to its id once, at start.
        runtime: ``runc`` or ``runsc``.
        members: Containers that may run at the same time; 0 for one per core.
        startup_seconds: Deadline for a container to become ready.
        cgroup_parent: Passed to the engine when set.
        engine: Address of the Docker engine; empty for the client's default.
        host_home: The home directory as the engine sees it; set it when the controller runs in
            a container, empty otherwise.
    """

    image: str = "stratlab-sandbox:0.1.0"
    runtime: str = "runc"
    members: int = Field(default=0, ge=0)
    startup_seconds: float = Field(default=60.0, gt=0)
    cgroup_parent: str = ""
    engine: str = ""
    host_home: str = ""


@final
class ServerSettings(_Section):
    """Where the controller listens.

    Attributes:
        address: ``unix:/path``; empty for ``stratlab.sock`` in the home directory.
        drain_seconds: Time that running calls get when the server stops.
    """

    address: str = ""
    drain_seconds: float = Field(default=5.0, ge=0)


@final
class Settings(BaseSettings):
    """All settings.

    Attributes:
        home: Directory of database, data sets, artefacts and reports.
    """

    model_config = SettingsConfigDict(
        env_prefix="STRATLAB_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    home: Path = Path("~/.stratlab")
    store: StoreSettings = StoreSettings()
    sandbox: SandboxSettings = SandboxSettings()
    server: ServerSettings = ServerSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: command line, environment, file."""
        del dotenv_settings, file_secret_settings
        path = Path(os.environ.get("STRATLAB_CONFIG", "stratlab.toml"))
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls, path))

    @property
    def home_path(self) -> Path:
        """Absolute home directory."""
        return self.home.expanduser().resolve()

    @property
    def store_url(self) -> str:
        """SQLAlchemy URL of the store."""
        return self.store.url or f"sqlite:///{self.home_path / 'stratlab.db'}"

    @property
    def address(self) -> str:
        """GRPC address of the controller."""
        return self.server.address or f"unix:{self.home_path / 'stratlab.sock'}"


@lru_cache(maxsize=1)
def load_settings() -> Settings:
    """Read the settings once.

    Raises:
        pydantic.ValidationError: A setting is unknown or has a wrong value.
    """
    return Settings()
