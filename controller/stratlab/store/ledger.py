"""The port ``Ledger`` in SQL: reserved before a call, settled after it, never understated."""

import json
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import Any, final

from sqlalchemy import ColumnElement, Connection, Row, and_, case, func, insert, select, update

from stratlab.domain.errors import BudgetExhaustedError, IntegrityError, WrongStateError
from stratlab.domain.events import canonical_json
from stratlab.domain.spending import Attempt, Bounds, ModelPrice, PriceTable, Spent, TokenUsage
from stratlab.store import event_log
from stratlab.store.database import Database
from stratlab.store.encoding import to_microseconds
from stratlab.store.schema import model_calls, price_tables


@final
class _State(StrEnum):
    RESERVED = "reserved"
    SETTLED = "settled"
    RELEASED = "released"
    REFUSED = "refused"


@final
class SqlLedger:
    """Writers take turns, so no two calls can be granted the same money."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def prices(self, campaign_id: str, current: PriceTable) -> PriceTable:
        """Return the campaign's price table; ``current`` becomes it when it has none yet.

        Raises:
            NotFoundError: No such campaign.
        """
        query = select(price_tables.c.document).where(price_tables.c.campaign_id == campaign_id)
        with self._database.read() as connection:
            document = connection.execute(query).scalar()
        if document is None:
            with self._database.write() as connection:
                event_log.chain_end(connection, campaign_id)
                document = connection.execute(query).scalar()
                if document is None:
                    document = canonical_json({name: asdict(p) for name, p in current.items()})
                    row = {"campaign_id": campaign_id, "document": document}
                    connection.execute(insert(price_tables), [row])
        try:
            return {name: ModelPrice(**fields) for name, fields in json.loads(document).items()}
        except (ValueError, TypeError, AttributeError) as error:
            raise IntegrityError(f"a stored price table cannot be read: {error}") from error

    def reserve(
        self,
        attempt: Attempt,
        model: str,
        micro_usd: int,
        tokens: int,
        bounds: Bounds,
        at: datetime,
    ) -> Spent:
        """Set aside the most that a try can cost, before it is made; again without effect.

        Args:
            attempt: Which try.
            model: Who answers.
            micro_usd: The most that it can cost.
            tokens: The most that it can take, those of the request included.
            bounds: What the campaign may spend in all.
            at: UTC.

        Raises:
            BudgetExhaustedError: Too little is left; that it was asked for is remembered.
            NotFoundError: No such campaign.
        """
        with self._database.write() as connection:
            event_log.chain_end(connection, attempt.campaign_id)
            row = _row(connection, attempt)
            if row is None:
                before = _spent(connection, attempt.campaign_id)
                fits = _fits(before.micro_usd + micro_usd, bounds.micro_usd) and _fits(
                    before.tokens + tokens, bounds.tokens
                )
                state = _State.RESERVED if fits else _State.REFUSED
                connection.execute(
                    insert(model_calls).values(
                        campaign_id=attempt.campaign_id,
                        call=attempt.call,
                        attempt=attempt.number,
                        model=model,
                        state=state.value,
                        micro_usd=micro_usd,
                        tokens=tokens,
                        usage="",
                        at=to_microseconds(at),
                    )
                )
            else:
                state = _State(row.state)
            spent = _spent(connection, attempt.campaign_id)
        if state is _State.REFUSED:
            raise BudgetExhaustedError(
                f"the call {attempt.call} could cost more than the campaign has left",
                spent_micro_usd=spent.micro_usd,
                wanted_micro_usd=micro_usd,
                bound_micro_usd=bounds.micro_usd,
                spent_tokens=spent.tokens,
                wanted_tokens=tokens,
                bound_tokens=bounds.tokens,
            )
        return spent

    def settle(self, attempt: Attempt, micro_usd: int, usage: TokenUsage) -> Spent:
        """Replace what was reserved by what was used; again without effect.

        Raises:
            WrongStateError: Nothing is reserved for this try.
        """
        used = {"micro_usd": micro_usd, "tokens": usage.total}
        return self._end(attempt, _State.SETTLED, {**used, "usage": canonical_json(asdict(usage))})

    def release(self, attempt: Attempt) -> Spent:
        """Give back what was reserved for a try that was certainly not charged; again in vain.

        Raises:
            WrongStateError: Nothing is reserved for this try, or it was settled.
        """
        return self._end(attempt, _State.RELEASED, {"micro_usd": 0, "tokens": 0})

    def last_attempt(self, campaign_id: str, call: str) -> int:
        """Return the number of the newest try of a call, 0 before the first."""
        query = select(func.max(model_calls.c.attempt)).where(
            model_calls.c.campaign_id == campaign_id, model_calls.c.call == call
        )
        with self._database.read() as connection:
            return connection.execute(query).scalar() or 0

    def spent(self, campaign_id: str) -> Spent:
        """Return the state of a campaign's account."""
        with self._database.read() as connection:
            return _spent(connection, campaign_id)

    def _end(self, attempt: Attempt, state: _State, values: dict[str, object]) -> Spent:
        with self._database.write() as connection:
            row = _row(connection, attempt)
            if row is None or row.state not in {_State.RESERVED.value, state.value}:
                raise WrongStateError(
                    f"try {attempt.number} of the call {attempt.call} holds no reservation",
                    state="none" if row is None else row.state,
                )
            if row.state != state.value:
                connection.execute(
                    update(model_calls).where(_is(attempt)).values(state=state.value, **values)
                )
            return _spent(connection, attempt.campaign_id)


def _is(attempt: Attempt) -> ColumnElement[bool]:
    return and_(
        model_calls.c.campaign_id == attempt.campaign_id,
        model_calls.c.call == attempt.call,
        model_calls.c.attempt == attempt.number,
    )


def _row(connection: Connection, attempt: Attempt) -> Row[Any] | None:
    return connection.execute(select(model_calls.c.state).where(_is(attempt))).first()


def _fits(total: int, bound: int | None) -> bool:
    return bound is None or total <= bound


def _spent(connection: Connection, campaign_id: str) -> Spent:
    made = model_calls.c.state != _State.REFUSED.value
    query = select(
        func.sum(case((made, model_calls.c.micro_usd), else_=0)),
        func.sum(case((made, model_calls.c.tokens), else_=0)),
        func.sum(model_calls.c.micro_usd),
        func.sum(model_calls.c.tokens),
        func.sum(case((made, 1), else_=0)),
    ).where(model_calls.c.campaign_id == campaign_id)
    # PostgreSQL sums big integers as decimals; without rows a sum is NULL.
    return Spent(*(int(value or 0) for value in connection.execute(query).one()))
