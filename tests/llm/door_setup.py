"""A door to the local server, over a real store."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.llm.server import KEY, PRICES, MessagesServer
from tests.suites.samples import a_campaign
from tests.suites.small_lab import SystemClock

from stratlab.domain.spending import Bounds, Ledger, ModelPrice
from stratlab.llm import (
    Account,
    BudgetWarning,
    Call,
    Door,
    Endpoint,
    ModelClient,
    Models,
    Prompt,
    RetryPolicy,
    Role,
    Turn,
)
from stratlab.store import open_repository

MODEL = "claude-test"
QUICK = RetryPolicy(attempts=3, deadline_seconds=100.0, first_pause_seconds=0.01)
TABLE = {model: ModelPrice(*prices) for model, prices in PRICES.items()}


@dataclass
class OpenDoor:
    """What a test looks at."""

    models: Models
    ledger: Ledger
    repository: object
    warnings: list[BudgetWarning] = field(default_factory=list)


@lru_cache(maxsize=1)
def _two_campaigns() -> bytes:
    # Migrating a database takes longer than most of these tests.
    with TemporaryDirectory() as folder:
        path = Path(folder) / "stratlab.db"
        with closing(open_repository(f"sqlite:///{path}")) as repository:
            for name in ("c1", "c2"):
                repository.create_campaign(a_campaign(name), "")
        return path.read_bytes()


@contextmanager
def open_door(
    home: Path,
    server: MessagesServer | str,
    *,
    key: str = KEY,
    needs_key: bool = True,
    policy: RetryPolicy = QUICK,
    seconds: float = 60.0,
    streamed: bool = False,
    structured: bool = True,
    prices=TABLE,
) -> Iterator[OpenDoor]:
    url = server if isinstance(server, str) else server.url
    database = home / "stratlab.db"
    if not database.exists():
        database.write_bytes(_two_campaigns())
    with closing(open_repository(f"sqlite:///{database}")) as repository:
        endpoint = Endpoint(
            url, key, needs_key, seconds, is_streamed=streamed, is_structured=structured
        )
        warnings: list[BudgetWarning] = []
        door = Door(
            client=ModelClient(endpoint),
            ledger=repository.ledger(),
            cassettes=repository.cassettes(),
            prices=prices,
            policy=policy,
            clock=SystemClock(),
            warn=warnings.append,
        )
        with Models(door) as models:
            yield OpenDoor(models, repository.ledger(), repository, warnings)


def a_call(
    text: str = "Say hello.",
    *,
    place: str = "0001/brief",
    sample: int = 1,
    model: str = MODEL,
    bounds: Bounds | None = None,
    replay_of: str = "",
    campaign: str = "c1",
    answer=None,
    max_tokens: int = 500,
) -> Call:
    prompt = Prompt("test/1", "You are polite.", (Turn(Role.USER, text),), answer, max_tokens)
    account = Account(campaign, bounds or Bounds(), replay_of)
    return Call(account, place, sample, model, prompt)
