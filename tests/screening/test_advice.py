"""Rules that warn: the look-ahead lint, style, integration and coverage."""

import pytest
from tests.screening.test_honest_corpus import STYLES

from stratlab.domain.strategy import Author, Severity
from stratlab.screening.layers import screen_text
from stratlab.screening.rules import RULES

FRAME = """
import itertools
import logging
import random
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
from zipline.api import order, record, schedule_function, set_commission, symbol

WINDOW = 20


def initialize(context):
    context.asset = symbol("AAPL")
    schedule_function(lambda context, data: None)


def handle_data(context, data):
    prices = data.history(context.asset, "close", WINDOW, "1d")
    frame = pd.DataFrame(prices)
    {line}
"""
WARNED = [
    ("lookahead_shift", "x = prices.shift(-1)"),
    ("lookahead_shift", "x = prices.pct_change(periods=-5)"),
    ("lookahead_shift", "x = np.roll(prices, -1)"),
    ("lookahead_centred_window", "x = prices.rolling(5, center=True).mean()"),
    ("lookahead_backward_fill", "x = prices.bfill()"),
    ("lookahead_backward_fill", "x = prices.fillna(method='backfill')"),
    ("lookahead_backward_fill", "x = prices.interpolate(limit_direction='both')"),
    ("lookahead_forward_merge", "x = pd.merge_asof(frame, frame, direction='forward')"),
    ("lookahead_forward_merge", "x = pd.merge_asof(frame, frame, direction='nearest')"),
    ("lookahead_index", ("x = [prices.iloc[i + 1] for i in range(3)] if 0 else 0\n"
     "    for i in range(10):\n        y = prices.iloc[i + 1]")),
    ("lookahead_index", "for i, p in enumerate(prices):\n        y = prices[i + 2:]"),
    ("lookahead_full_sample", "x = (prices - prices.mean()) / prices.std()"),
    ("lookahead_full_sample", "x = (prices - prices.min()) / (prices.max() - prices.min())"),
    ("lookahead_full_sample", "x = scaler.fit_transform(frame)"),
    ("lookahead_full_sample", "x = pd.qcut(prices, 5)"),
    ("wall_clock", "x = datetime.now()"),
    ("wall_clock", "x = pd.Timestamp.today().hour"),
    ("wall_clock", "clock = date.today"),
    ("own_costs", "set_commission(None)"),
    ("calendar_date", "x = prices[prices.index > '2005-03-01']"),
    ("high_entropy", "x = '7f4a9c2e81d05b36fa1793ce4b8260d5e9'"),
    ("bandit.B110", "try:\n        order(context.asset, 1)\n    except Exception:\n        pass"),
    ("bandit.B112", ("for i in prices:\n        try:\n            order(context.asset, 1)\n"
     "        except Exception:\n            continue")),
    ("bandit.B105", "token = 'hunter2hunter2'"),
    ("bandit.B108", "x = '/tmp/prices'"),
    ("magic_number", "if prices.mean() > 17.5:\n        order(context.asset, 1)"),
    ("no_confidence_gate", "order(context.asset, 1)"),
    ("no_risk_model", "order(context.asset, 1)"),
    ("no_record", "order(context.asset, 1)"),
    ("no_error_handling", "order(context.asset, 1)"),
]  # fmt: skip
SILENT = [
    ("lookahead_shift", "x = prices.shift(1) + prices.diff() + np.roll(prices, 1)"),
    ("lookahead_centred_window", "x = prices.rolling(5, center=False).mean()"),
    ("lookahead_backward_fill", "x = prices.ffill().fillna(0.0)"),
    ("lookahead_forward_merge", "x = pd.merge_asof(frame, frame, direction='backward')"),
    ("lookahead_index", "n = len(prices)\n    x = prices[n - 5:]\n    y = prices.iloc[n + 1 - 2]"),
    ("lookahead_full_sample", "x = (prices.iloc[-1] - prices.mean()) / prices.std()"),
    ("wall_clock", "x = data.current_dt.now if 0 else datetime(2000, 1, 1).today"),
    ("calendar_date", "x = datetime(1970, 1, 1) + timedelta(days=365)"),
    ("calendar_date", "print('market 20 days, version 1.2.10, may 5 decay 20, ratio 2000-5000')"),
    ("calendar_date", "x = pd.date_range(end=data.current_dt, periods=252)"),
    ("calendar_date", "x = context.portfolio.value > 250_000 and prices.value < 2000"),
    ("calendar_date", "x = data.current_dt.month == 10 and data.current_dt.day > 20"),
    ("calendar_date", "x = {5: 1, 20: 2, 2000: 3}"),
    ("magic_number", "x = prices.rolling(window=20).mean() * 0.5 / 252"),
    ("magic_number", "x = context.params.get('window', 37)"),
    ("no_confidence_gate", "order(context.asset, 1) if prices.mean() > 1 else None"),
    ("no_risk_model", "order(context.asset, 1, stop_price=1.0)"),
    ("no_record", "record(x=1)"),
    ("no_error_handling", "x = prices.dropna()"),
    ("high_entropy", "x = 'an ordinary text of some length, with spaces'"),
    ("bandit.B110", ("try:\n        order(context.asset, 1)\n    except ValueError as e:\n"
     "        logging.error(e)")),
    ("endless_loop", "while len(prices) > 1:\n        prices = prices[1:]"),
    ("endless_loop", "while True:\n        if len(prices):\n            return\n"),
    ("endless_iterator", "x = list(zip(itertools.count(), prices))"),
    ("endless_iterator", "for i in itertools.count():\n        if i > 3:\n            break"),
    ("endless_iterator", "x = list(itertools.repeat(1, 5))"),
]  # fmt: skip


def rules_of(line: str, author: Author = Author.HUMAN) -> dict[str, Severity]:
    report = screen_text(FRAME.format(line=line), author)
    return {finding.rule: finding.severity for finding in report.findings}


@pytest.mark.parametrize(("rule", "line"), WARNED)
def test_warning_is_given(rule: str, line: str) -> None:
    assert rules_of(line)[rule] is Severity.WARNING


@pytest.mark.parametrize(("rule", "line"), SILENT)
def test_warning_is_not_given(rule: str, line: str) -> None:
    assert rule not in rules_of(line, Author.MODEL)


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        ("nothing_runs", "def initialize(context):\n    context.x = 1\n"),
        (
            "two_styles",
            "def initialize(context):\n    pass\n\nclass MyStrategy:\n    pass\n",
        ),
        (
            "shadowed_name",
            "def initialize(context):\n    pass\n\n\ndef f():\n    pass\n\n\ndef f():\n    pass\n",
        ),
        ("few_functions", STYLES["style/short_minimal"]),
        ("few_lines", STYLES["style/short_minimal"]),
        (
            "long_function",
            "def initialize(context):\n" + "    context.x = 1\n" * 100,
        ),
        ("import_left_out", "import socket\n" + STYLES["style/short_minimal"]),
        ("bandit.B103", "def initialize(context):\n    context.tool.chmod('x', 0o777)\n"),
        ("bandit.B104", "HOST = '0.0.0.0'\ndef initialize(context):\n    pass\n"),
        ("bandit.B106", "def initialize(context):\n    context.login(password='hunter2')\n"),
        ("bandit.B107", ("def login(password='hunter2'):\n    pass\n"
         "def initialize(context):\n    pass\n")),
        ("bandit.B604", "def initialize(context):\n    context.tool('x', shell=True)\n"),
        ("bandit.B608", ("def initialize(context):\n"
         "    context.text = 'SELECT a FROM b WHERE c = ' + str(context)\n")),
    ],
)  # fmt: skip
def test_whole_source_is_warned_of(rule: str, source: str) -> None:
    assert rule in {finding.rule for finding in screen_text(source).findings}


def test_every_warning_is_tested() -> None:
    warned = {rule for rule, _ in WARNED}
    tested = warned | {"nothing_runs", "two_styles", "shadowed_name", "few_functions", "few_lines"}
    tested |= {"long_function", "import_left_out"}
    tested |= {f"bandit.B{number}" for number in (103, 104, 106, 107, 604, 608)}
    rules = {r.id for r in RULES if r.severity is Severity.WARNING and r.layer != "smoke"}
    assert rules == tested


def test_numbers_are_not_listed_without_end() -> None:
    lines = "\n    ".join(f"x = prices * {number}.5" for number in range(100, 200))
    numbers = [
        f for f in screen_text(FRAME.format(line=lines)).findings if f.rule == "magic_number"
    ]
    assert len(numbers) == 12
