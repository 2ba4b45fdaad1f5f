"""A small lab whose models are the local server."""

from pathlib import Path

from tests.llm.server import KEY, PRICES, MessagesServer

from stratlab.domain.campaign import StopRules
from stratlab.domain.strategy import GeneratorKind
from stratlab.settings import LlmSettings, PriceSettings, Settings

MODEL = "claude-test"
_MICRO = 1_000_000


def model_settings(
    home: Path, server: MessagesServer | str, *, key: str = KEY, **llm: object
) -> Settings:
    """Return settings that ask the local server."""
    names = ("input", "output", "cache_write", "cache_read")
    fields = {
        "endpoint": server if isinstance(server, str) else server.url,
        "models": (MODEL,),
        "prices": {
            model: PriceSettings(**{n: p / _MICRO for n, p in zip(names, prices, strict=True)})
            for model, prices in PRICES.items()
        },
        "first_pause_seconds": 0.01,
        "call_seconds": 60.0,
        **llm,
    }
    return Settings(home=home, llm=LlmSettings(**fields), anthropic_api_key=key)


def rules(iterations: int, **changes: object) -> StopRules:
    """Return stop rules that end a campaign by its iterations alone."""
    fields = {
        "max_iterations": iterations,
        "max_wall_seconds": None,
        "max_consecutive_failures": None,
        **changes,
    }
    return StopRules(**fields)


HYBRID, CLAUDE = GeneratorKind.HYBRID, GeneratorKind.CLAUDE
