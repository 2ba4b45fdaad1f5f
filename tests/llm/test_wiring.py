"""Where the key comes from, and that nobody else sees it."""

from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.llm.server import KEY

from stratlab.domain.errors import UnsafeConfigurationError
from stratlab.domain.spending import TokenUsage
from stratlab.settings import LlmSettings, Settings
from stratlab.wiring_models import api_key, price_table


def test_key_comes_from_the_environment_and_is_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATLAB_ANTHROPIC_API_KEY", KEY)
    settings = Settings(home=tmp_path)
    assert api_key(settings) == KEY
    assert KEY not in repr(settings) + str(settings) + settings.model_dump_json()


def test_key_comes_from_a_private_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    settings = Settings(home=tmp_path, llm=LlmSettings(key_file=str(file)))
    file.chmod(0o644)
    with pytest.raises(UnsafeConfigurationError):
        api_key(settings)
    file.chmod(0o600)
    assert api_key(settings) == KEY
    # The environment wins.
    other = settings.model_copy(update={"anthropic_api_key": SecretStr("other")})
    assert api_key(other) == "other"


@pytest.mark.parametrize(
    ("llm", "key", "expected"),
    [
        ({}, "", False),
        ({}, KEY, True),
        ({"key_file": "/run/key"}, "", True),
        ({"endpoint": "http://127.0.0.1:9"}, "", False),
        ({"endpoint": "http://127.0.0.1:9", "needs_key": False}, "", True),
    ],
)
def test_models_are_set_up_by_a_key_or_an_endpoint_that_needs_none(
    tmp_path: Path, llm: dict[str, object], key: str, expected: bool
) -> None:
    settings = Settings(home=tmp_path, llm=LlmSettings(**llm), anthropic_api_key=key)
    assert settings.can_ask_models is expected


def test_every_default_model_has_a_price() -> None:
    llm = LlmSettings()
    table = price_table(llm)
    assert set(llm.models) <= set(table)
    sonnet = table["claude-sonnet-5-5"]
    assert sonnet.cost(TokenUsage(input=1_000_000)) == 2_000_000
    assert sonnet.cost(TokenUsage(output=1)) == 10
    assert sonnet.cost(TokenUsage(cache_read=1)) == 1  # a fifth of a micro-dollar, rounded up
