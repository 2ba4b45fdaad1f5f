"""What a sealed trial is told: everything up to a bar, and nothing that later bars change."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sealed.worlds import data_set, label, panel, trial

from stratlab.domain.errors import InvalidSpecError
from stratlab.domain.market import Dividend, Split
from stratlab.sandbox.sealed_script import Script
from stratlab_proto.runner.v1 import sealed_replay_pb2 as sealed

BARS = 12


def script(first: int = 4, last: int = 9, symbols: tuple[str, ...] = ("AAA",), **options) -> Script:
    prices = panel(**({"present": np.ones((BARS, 3), "bool")} | options))
    return Script.of(trial(first, last, symbols), data_set(prices), prices)


def reveals(told: Script) -> list[sealed.Reveal]:
    messages = [*told.opening[1:], *(told.reveal(at) for at in range(len(told.labels)))]
    return [sealed.Reveal.FromString(message) for message in messages]


@given(
    now=st.integers(0, 5),
    seed=st.integers(1, 10**6),
    first_bar=st.integers(0, BARS - 1),
    actions=st.booleans(),
)
def test_message_about_a_bar_is_the_same_whatever_comes_after_it(
    now: int, seed: int, first_bar: int, actions: bool
) -> None:
    """Prices, volumes, listings, splits and dividends of later bars are in no earlier byte."""
    row = 4 + now
    before, after = (np.ones((BARS, 3), "bool") for _ in range(2))
    before[:first_bar, 2] = after[:first_bar, 2] = False
    after[row + 1 : BARS - 1, 2] = False
    mine = panel(before)
    other = panel(after, seed)
    kept = {
        name: np.concatenate([getattr(mine, name)[: row + 1], getattr(other, name)[row + 1 :]])
        for name in ("open", "high", "low", "close", "volume")
    }
    later = row + 1
    changed = type(other)(
        bars=mine.bars,
        symbols=mine.symbols,
        **kept,
        splits=(Split(label(later), "AAA", 0.5),) if actions else (),
        dividends=(Dividend(label(later), label(later), "BBB", 0.1),) if actions else (),
    )
    one, two = (Script.of(trial(4, 9), data_set(mine), prices) for prices in (mine, changed))
    assert one.opening == two.opening
    assert [one.reveal(at) for at in range(now + 1)] == [two.reveal(at) for at in range(now + 1)]


def test_numbers_of_a_bar_are_those_of_its_day() -> None:
    prices = panel(np.ones((BARS, 3), "bool"))
    told = Script.of(trial(4, 9), data_set(prices), prices)
    reveal = sealed.Reveal.FromString(told.reveal(2))
    numbers = np.frombuffer(reveal.bars, "<u4").reshape(5, 3)
    assert list(reveal.sessions) == [label(6)]
    assert (numbers[3] * 0.001).tolist() == pytest.approx(prices.close[6].tolist(), abs=1e-9)
    assert numbers[4].tolist() == prices.volume[6].tolist()


def test_asset_outside_the_market_set_is_unknown_before_its_first_bar() -> None:
    present = np.ones((BARS, 3), "bool")
    present[:7, 1] = False
    told = script(present=present)
    assert b"BBB" not in b"".join([*told.opening, *(told.reveal(at) for at in range(3))])
    (birth,) = sealed.Reveal.FromString(told.reveal(3)).births
    assert (birth.listing.sid, birth.listing.symbol, birth.session) == (1, "BBB", label(7))


def test_asset_of_the_market_set_is_known_by_name_and_not_by_its_first_day() -> None:
    present = np.ones((BARS, 3), "bool")
    present[:7, 1] = False
    told = script(symbols=("AAA", "BBB"), present=present)
    opening = sealed.Opening.FromString(told.opening[0])
    assert [listing.symbol for listing in opening.listings] == ["AAA", "BBB"]
    births = [(number, each.listing.symbol) for number, message in enumerate(reveals(told))
              for each in message.births]  # fmt: skip
    assert births == [(0, "AAA"), (0, "CCC"), (4, "BBB")]


def test_death_is_told_at_the_first_bar_without_the_asset() -> None:
    present = np.ones((BARS, 3), "bool")
    present[6:, 0] = False
    deaths = {number: [death.session for death in message.deaths]
              for number, message in enumerate(reveals(script(present=present)))}  # fmt: skip
    assert {number for number, found in deaths.items() if found} == {3}
    assert deaths[3] == [label(6)]


def test_gap_is_no_death() -> None:
    present = np.ones((BARS, 3), "bool")
    present[5:8, 0] = False
    assert not any(message.deaths for message in reveals(script(present=present)))


def test_dividend_is_told_on_its_ex_date_and_a_payment_after_the_trial_is_not() -> None:
    dividends = (Dividend(label(5), label(11), "AAA", 0.3), Dividend(label(6), label(8), "AAA", 1))
    told = reveals(script(dividends=dividends))
    found = [(number, each.pay_session) for number, message in enumerate(told)
             for each in message.dividends]  # fmt: skip
    assert found == [(2, 0), (3, label(8))]


def test_number_of_assets_to_come_is_padded() -> None:
    opening = sealed.Opening.FromString(script().opening[0])
    assert opening.most_assets == 8


def test_window_without_bars_is_refused() -> None:
    prices = panel(np.ones((BARS, 1), "bool"))
    with pytest.raises(InvalidSpecError, match="no bar"):
        Script.of(trial(40, 50), data_set(prices), prices)


def test_symbol_that_the_data_set_does_not_have_is_refused() -> None:
    with pytest.raises(InvalidSpecError, match="ZZZ"):
        script(symbols=("AAA", "ZZZ"))


def test_intraday_data_are_refused_with_what_to_do() -> None:
    prices = panel(np.ones((BARS, 1), "bool"))
    with pytest.raises(InvalidSpecError, match="1h") as refused:
        Script.of(trial(4, 9), data_set(prices, "1h"), prices)
    assert "daily" in refused.value.hint


def test_long_past_comes_in_several_messages() -> None:
    prices = panel(np.ones((30_000, 3), "bool"))
    told = Script.of(trial(29_990, 29_999), data_set(prices), prices)
    assert len(told.opening) > 2
    assert max(map(len, told.opening)) < 1 << 20
    sessions = [each for message in told.opening[1:]
                for each in sealed.Reveal.FromString(message).sessions]  # fmt: skip
    assert sessions == [label(number) for number in range(29_990)]
