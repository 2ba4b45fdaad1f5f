"""Settings: file < environment < command line; the only reader of the environment."""

import os
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Self, final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

_CONFIG = "STRATLAB_CONFIG"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


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
        second_runtime: On which a candidate must place the same orders before it is admitted to
            the hall of fame; left out where the engine has none of that name, empty for none.
        strict_runtime: Of the strict stage, which decides a promotion: the sealed replays of a
            finalist and of the holdout. Without it, or with a limit of it unproven, they wait.
            Empty for the campaign's own.
        members: Containers that may run at the same time; 0 for one per core.
        memory_mib: Memory for all containers together; 0 for four fifths of the engine's host.
        sweep_processes: Trials of one batch that run beside each other in their container; 0 for
            one per core. Each gets the limits of the batch.
        pool_low: Containers that are kept ready for each kind of work that was asked for within
            the last ``pool_idle_seconds``; 0 for none. One that waits takes about 250 MiB.
        pool_high: The most that are kept ready, whatever the kind.
        pool_idle_seconds: How long a container waits for work before it is removed.
        startup_seconds: Deadline for a container to become ready.
        cgroup_parent: Passed to the engine when set.
        engine: Address of the Docker engine; empty for the client's default.
        engine_seconds: How long the engine may take to make or start a container; for all other
            calls, which a working engine answers at once, ten seconds or this if it is less.
        host_home: The home directory as the engine sees it; set it when the controller runs in
            a container, empty otherwise.
    """

    image: str = "stratlab-sandbox:0.1.0"
    runtime: str = "runc"
    second_runtime: str = "runsc"
    strict_runtime: str = ""
    members: int = Field(default=0, ge=0)
    memory_mib: int = Field(default=0, ge=0)
    sweep_processes: int = Field(default=0, ge=0, le=256)
    pool_low: int = Field(default=1, ge=0, le=64)
    pool_high: int = Field(default=2, ge=0, le=64)
    pool_idle_seconds: float = Field(default=120.0, ge=1, le=3600)
    startup_seconds: float = Field(default=60.0, gt=0)
    cgroup_parent: str = ""
    engine: str = ""
    engine_seconds: float = Field(default=30.0, ge=1, le=600)
    host_home: str = ""

    @model_validator(mode="after")
    def _marks_are_in_order(self) -> Self:
        if self.pool_low > self.pool_high:
            raise ValueError("pool_low is above pool_high")
        return self


@final
class ServerSettings(_Section):
    """Where the controller listens, and what callers from the network may ask of it.

    The unix socket is the owner's and knows no limits; everything else is about TCP, where every
    call needs a token. ``docs/access.md`` has the whole picture.

    Attributes:
        address: ``unix:/path``; empty for ``stratlab.sock`` in the home directory.
        listen: IP address and port (``127.0.0.1:7443``, ``[::]:7443``) on which `stratlab serve`
            listens for TCP too; empty for none. Port 0 lets the kernel choose.
        tls_certificate: PEM file with the server's certificate and its chain; without one, only
            a loopback address is accepted.
        tls_key: PEM file with its private key, of mode 0600.
        tls_client_ca: PEM file; when set, callers need a certificate that it signed (mTLS).
        tokens: Token file of mode 0600, as `stratlab token create` writes it; empty for
            ``tokens.json`` in the home directory.
        call_seconds: The longest a unary call may take, whatever deadline the caller set.
        calls_per_second: Calls that each token may start per second, on average.
        call_burst: Calls that each token may start at once.
        streams: Streams (watching, backtests, downloads) that each token may have open.
        drain_seconds: Time that running calls get when the server stops.
    """

    address: str = ""
    listen: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    tls_client_ca: str = ""
    tokens: str = ""
    call_seconds: float = Field(default=60.0, gt=0)
    calls_per_second: float = Field(default=20.0, gt=0)
    call_burst: int = Field(default=100, ge=1)
    streams: int = Field(default=32, ge=1)
    drain_seconds: float = Field(default=5.0, ge=0)


@final
class ClientSettings(_Section):
    """How commands reach a controller elsewhere.

    Attributes:
        address: ``host:port`` or ``https://host:port`` for TLS, ``http://127.0.0.1:port`` for
            plaintext on loopback, ``unix:/path``; empty for the controller of this home directory.
        token_file: File of mode 0600 that holds a token and nothing else.
        ca: PEM file with the certificates to trust; empty for those that come with gRPC.
        certificate: PEM file with the certificate that a server with mTLS asks for.
        key: PEM file with its private key, of mode 0600.
    """

    address: str = ""
    token_file: str = ""
    ca: str = ""
    certificate: str = ""
    key: str = ""


@final
class PriceSettings(_Section):
    """What a model charges, in US dollars for a million tokens.

    Attributes:
        input: Read by the model.
        output: Written by it.
        cache_write: Put into the prompt cache.
        cache_read: Read from the prompt cache.
    """

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cache_write: float = Field(ge=0)
    cache_read: float = Field(ge=0)


# Cache writes for five minutes, which is what is asked for. Where a model has two prices (for long
# prompts, before and after a change), the dearer one.
_PRICES = {
    "claude-haiku-5-5": PriceSettings(input=0.5, output=2.5, cache_write=0.625, cache_read=0.05),
    "claude-opus-5-5": PriceSettings(input=4, output=20, cache_write=5, cache_read=0.2),
    "claude-sonnet-5": PriceSettings(input=2, output=10, cache_write=2.5, cache_read=0.2),
    "claude-sonnet-5-5": PriceSettings(input=2, output=10, cache_write=2.5, cache_read=0.2),
}


@final
class LlmSettings(_Section):
    """Which language models write strategies, where they are asked, and what they cost.

    Attributes:
        endpoint: Base address: Anthropic's, or that of a gateway with the same API.
        key_file: File of mode 0600 that holds the key, used when ``STRATLAB_ANTHROPIC_API_KEY``
            is not set.
        needs_key: Whether the endpoint asks for a key; a gateway of your own may not.
        models: Who is asked; of several, a bandit chooses.
        prices: By model. A campaign keeps those of its first call. A model that is not listed is
            refused by campaigns that bound their cost.
        known_until: Model -> last day of its training data, where it is known.
        call_seconds: The longest that one request may take.
        attempts: Tries of one call.
        deadline_seconds: No try begins later than this after the first one, whatever pause the
            endpoint asks for.
        first_pause_seconds: Before the second try; doubles with each.
        max_output_tokens: The most that a model may write in one answer.
        stream: Whether answers are streamed, for gateways that cut long silences.
        structured: Whether the endpoint takes JSON schemas; else they are part of the prompt.
        blind: Whether symbols, dates and price levels are hidden from models.
    """

    endpoint: str = "https://api.anthropic.com"
    key_file: str = ""
    needs_key: bool = True
    models: tuple[str, ...] = Field(default=("claude-sonnet-5-5",), min_length=1, max_length=16)
    prices: dict[str, PriceSettings] = Field(default_factory=lambda: dict(_PRICES))
    known_until: dict[str, date] = Field(default_factory=dict)
    call_seconds: float = Field(default=120.0, gt=0)
    attempts: int = Field(default=3, ge=1, le=10)
    deadline_seconds: float = Field(default=300.0, gt=0)
    first_pause_seconds: float = Field(default=1.0, gt=0)
    max_output_tokens: int = Field(default=8192, ge=256, le=64_000)
    stream: bool = False
    structured: bool = True
    blind: bool = True


@final
class Settings(BaseSettings):
    """All settings.

    Attributes:
        home: Directory of database, data sets, artefacts and reports.
        anthropic_api_key: Key for language models; never shown, stored or sent anywhere else.
    """

    model_config = SettingsConfigDict(
        env_prefix="STRATLAB_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    home: Path = Field(default=Path("~/.stratlab"), validate_default=True)
    store: StoreSettings = StoreSettings()
    sandbox: SandboxSettings = SandboxSettings()
    server: ServerSettings = ServerSettings()
    client: ClientSettings = ClientSettings()
    llm: LlmSettings = LlmSettings()
    anthropic_api_key: SecretStr = SecretStr("")

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
        path = Path(os.environ.get(_CONFIG, "stratlab.toml"))
        if _CONFIG in os.environ and not path.is_file():
            raise ValueError(f"{_CONFIG} names no file: {path}")
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls, path))

    @field_validator("home", mode="before")
    @classmethod
    def _home_is_a_path(cls, home: object) -> object:
        text = str(home)
        if not text or "?" in text:  # a question mark would end the path of the database's URL
            raise ValueError("is no path that can be used")
        try:
            text.encode()
            Path(text).expanduser().resolve()
        except (OSError, ValueError, RuntimeError) as error:
            raise ValueError(f"cannot be used: {str(error)[:200]}") from None
        return home

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
        """GRPC address of this home directory's controller."""
        return self.server.address or f"unix:{self.home_path / 'stratlab.sock'}"

    @property
    def can_ask_models(self) -> bool:
        """Whether a language model is set up: there is a key, or an endpoint that needs none."""
        has_key = bool(self.anthropic_api_key.get_secret_value() or self.llm.key_file)
        return has_key or not self.llm.needs_key

    @property
    def token_path(self) -> Path:
        """File with the tokens of callers from the network."""
        return Path(self.server.tokens or self.home_path / "tokens.json").expanduser()


def unknown_variables() -> tuple[str, ...]:
    """Return the variables ``STRATLAB_SECTION__NAME`` whose section does not exist, sorted.

    They would be ignored without a word; a wrong name in a section that exists is refused.
    """
    sections = {f"STRATLAB_{name}".upper() for name in Settings.model_fields}
    return tuple(
        sorted(
            name
            for name in os.environ
            if name.startswith("STRATLAB_")
            and "__" in name
            and name.partition("__")[0] not in sections
        )
    )


@lru_cache(maxsize=1)
def load_settings() -> Settings:
    """Read the settings once.

    Raises:
        pydantic.ValidationError: A setting is unknown or has a wrong value.
    """
    return Settings()
