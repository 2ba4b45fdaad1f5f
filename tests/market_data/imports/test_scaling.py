"""How numbers are stored that zipline's 32-bit thousandths cannot hold."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.market_data.imports.builders import codes

from stratlab.domain.errors import InvalidInputError
from stratlab.domain.market import Scale
from stratlab.market_data.content import UINT32_MAX
from stratlab.market_data.imports.findings import Findings
from stratlab.market_data.imports.scaling import choose_scales


def bars(prices: list[float], volume: float = 1e6) -> pd.DataFrame:
    fields = ("open", "high", "low", "close")
    return pd.DataFrame({"symbol": "AAA", **dict.fromkeys(fields, prices), "volume": volume})


CASES = {
    "a share": ([20.15, 131.5], 1e6, Scale()),
    "a share with a fourth decimal": ([20.1555, 131.5], 1e6, Scale()),
    "euros in dollars": ([1.08765, 1.12043], 1e6, Scale(1000.0, 0.001)),
    "euros in yen": ([151.234, 163.111], 1e6, Scale()),
    "a penny share": ([0.0523, 0.0611], 1e6, Scale(100.0, 0.01)),
    "an index above 4.29 million": ([5_200_000.25, 6e6], 1e6, Scale(0.1, 10.0)),
    "a very large volume": ([51.2, 52.0], 6e9, Scale(1.0, 0.1)),
    "a penny share with a huge volume": ([0.0523, 0.0611], 9e12, Scale(100.0, 1e-4)),
}


@pytest.mark.parametrize(("prices", "volume", "scale"), CASES.values(), ids=CASES.keys())
def test_scale_fits_the_numbers(prices: list[float], volume: float, scale: Scale) -> None:
    found = choose_scales(bars(prices, volume), {}, Findings())
    assert found.get("AAA", Scale()) == scale


@given(
    st.lists(st.floats(1e-5, 1e9), min_size=1, max_size=20),
    st.floats(1, 1e15),
)
def test_whatever_is_chosen_fits_or_is_refused(prices: list[float], volume: float) -> None:
    told = Findings()
    if max(prices) / min(prices) > 1e6:
        return  # some of these have no scale, see below
    scale = choose_scales(bars(prices, volume), {}, told).get("AAA", Scale())
    stored = np.rint(np.array(prices) * scale.price * 1000)
    assert (stored >= 1).all()
    assert (stored <= UINT32_MAX).all()
    assert volume * scale.volume <= UINT32_MAX
    error = np.abs(stored / scale.price / 1000 / prices - 1).max()
    assert error <= 1e-4 or "rounded_price" in codes(told)
    for power in (scale.price, scale.volume):
        assert float(np.log10(power)).is_integer()


def test_prices_that_no_scale_fits_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="do not fit"):
        choose_scales(bars([1e-7, 5e6]), {}, Findings())


@pytest.mark.parametrize(
    ("lots", "complaint"),
    [({"BBB": 10.0}, "no symbol 'BBB'"), ({"AAA": 7.0}, "power of ten"), ({"AAA": 1e9}, "fit")],
)
def test_wrong_lot_is_refused(lots: dict[str, float], complaint: str) -> None:
    with pytest.raises(InvalidInputError, match=complaint):
        choose_scales(bars([20.0]), lots, Findings())


def test_given_lot_goes_before_the_choice() -> None:
    assert choose_scales(bars([1.08765]), {"AAA": 100.0}, Findings()) == {"AAA": Scale(100.0, 0.01)}
    told = Findings()
    assert choose_scales(bars([1.08765]), {"AAA": 1.0}, told) == {}
    assert codes(told) == {"rounded_price": ["AAA"]}


def test_money_is_the_same_in_both_units() -> None:
    for scale in (Scale(1000.0, 0.001), Scale(0.1, 10.0)):
        assert (7 * scale.lot) * (1087.65 / scale.price) == pytest.approx(7 * 1087.65, rel=1e-15)
    assert isinstance(Scale(1000.0, 0.001).lot, int)
