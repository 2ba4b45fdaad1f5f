"""A sealed market without a controller: its own script of reveals, played by a thread."""

import importlib.util
import os
import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import opening
from traces import exact

from stratlab.domain.market import (
    CostModel,
    DataSet,
    Dividend,
    MarketSet,
    PricePanel,
    Split,
    Tier,
    TierRange,
    Window,
)
from stratlab.domain.trial import TrialPurpose, TrialSpec
from stratlab_proto.runner.v1 import runner_service_pb2 as pb
from stratlab_proto.runner.v1 import sealed_replay_pb2 as sealed
from stratlab_runner.bars import bind_context
from stratlab_runner.reporter import Reporter
from stratlab_runner.sealed import market as sealed_market
from stratlab_runner.sealed.algorithm import SealedAlgorithm, SealedReporter
from stratlab_runner.sealed.feed import Feed
from stratlab_runner.sealed.market import SealedMarket
from stratlab_runner.simulation import TrialAlgorithm
from stratlab_runner.tier_data import TierData
from stratlab_runner.wire import read_frame, write_frame

PREFIX = struct.Struct(">I")


def _script_class() -> Any:
    # Its package imports what the image does not have.
    path = Path(os.environ["STRATLAB_CONTROLLER"]) / "stratlab" / "sandbox" / "sealed_script.py"
    spec = importlib.util.spec_from_file_location("sealed_script", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up.
    import sys  # noqa: PLC0415 - one use

    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.Script


Script = _script_class()


def panel_of(tier: TierData) -> PricePanel:
    """The host's prices of a tier that was written by the product."""
    names = _names(tier)
    columns = [tier.day_bars.columns[sid] for sid in sorted(names)]
    bars = tier.day_bars.sessions.to_numpy().astype("datetime64[s]").astype("int64")
    arrays = {name: array[:, columns] for name, array in tier.day_bars.arrays.items()}
    read = tier.adjustment_reader.conn.execute
    splits = read("SELECT effective_date, sid, ratio FROM splits ORDER BY 1, 2").fetchall()
    dividends = read("SELECT ex_date, pay_date, sid, amount FROM dividend_payouts ORDER BY 1, 3")
    return PricePanel(
        bars=bars,
        symbols=tuple(names[sid] for sid in sorted(names)),
        open=arrays["open"],
        high=arrays["high"],
        low=arrays["low"],
        close=arrays["close"],
        volume=arrays["volume"].astype("float64"),
        splits=tuple(Split(when, names[sid], ratio) for when, sid, ratio in splits),
        dividends=tuple(
            Dividend(when, paid, names[sid], amount)
            for when, paid, sid, amount in dividends.fetchall()
        ),
    )


def script_of(tier: TierData, asked: pb.RunTrial) -> Any:
    """What the controller would reveal of a tier to a trial."""
    prices = panel_of(tier)
    start, end = date.fromisoformat(asked.start), date.fromisoformat(asked.end)
    data_set = DataSet(
        name="fuzz",
        digest=tier.digest,
        symbols=tuple(sorted(prices.symbols)),
        timeframe="1d",
        calendar=tier.calendar.name,
        warm_up_start=tier.first_session.date(),
        tiers={Tier.TRAIN: TierRange(start, end)},
        provenance="",
    )
    trial = TrialSpec(
        trial_id="t",
        index=0,
        purpose=TrialPurpose.ADHOC,
        market=MarketSet("fuzz", tuple(asked.symbols)),
        window=Window(Tier.TRAIN, start, end),
        parameters={},
        capital=asked.capital,
        cost_model=CostModel(),
    )
    return Script.of(trial, data_set, prices)


class Player:
    """Plays a script to one process.

    Attributes:
        entries: What was committed, each with the number of bars that had been revealed.
    """

    def __init__(self, script: Any, end: socket.socket) -> None:
        self.entries: list[tuple[int, pb.LogEntry]] = []
        self._script = script
        self._end = end
        self._thread = threading.Thread(target=self._play, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Hang up."""
        self._end.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._end.close()

    def _play(self) -> None:
        for message in self._script.opening:
            write_frame(self._end.fileno(), message)
        revealed = 0
        while (message := read_frame(self._end.fileno())) is not None:
            commit = sealed.Commit.FromString(message)
            self.entries += [(revealed, entry) for entry in commit.entries]
            if commit.next == sealed.Commit.NEXT_REVEAL:
                write_frame(self._end.fileno(), self._script.reveal(revealed))
                revealed += 1
            elif commit.next == sealed.Commit.NEXT_END:
                write_frame(self._end.fileno(), sealed.Reveal(end=True).SerializeToString())


@contextmanager
def sealed_tier(
    tier: TierData, asked: pb.RunTrial, find_calendar: Callable[..., Any] | None = None
) -> Iterator[tuple[TierData, Player]]:
    """A sealed market over what is in a tier, as its trial finds it."""
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    player = Player(script_of(tier, asked), theirs)
    find = find_calendar or (lambda name, *_: opening.calendar(name))
    try:
        with patch.object(sealed_market, "open_calendar", find):
            yield SealedMarket(Feed(mine.fileno())).tier, player
    finally:
        player.stop()
        mine.close()


class Result:
    """What one run did and saw.

    Attributes:
        trace: What zipline recorded.
        log, fills, equity: As the host is told.
        error: What ended it, if anything.
        stamps: Of a sealed run: bars revealed before each entry of the log.
    """

    def __init__(self) -> None:
        self.trace: list[Any] = []
        self.log: list[pb.LogEntry] = []
        self.fills: list[pb.Fill] = []
        self.equity: list[tuple[int, float]] = []
        self.error = ""
        self.stamps: list[int] = []


def run(
    asked: pb.RunTrial, tier: TierData, functions: dict[str, Any], player: Player | None = None
) -> Result:
    """Run a strategy's functions by the fast engine, sealed when there is a player."""
    result = Result()
    with tempfile.TemporaryFile(buffering=0) as file:
        reporter: Reporter
        kind: type[TrialAlgorithm]
        if player is None:
            reporter, kind = Reporter(file.fileno(), "t"), TrialAlgorithm
        else:
            assert tier.market is not None
            reporter = SealedReporter(file.fileno(), "t", tier.market.feed)
            kind = SealedAlgorithm
        algorithm = kind(asked, tier, reporter, functions, "fast")
        bind_context(algorithm, {}, asked.symbols, tier.timeframe)
        try:
            result.trace.extend(
                exact(packet.get("daily_perf", {}).get("recorded_vars"))
                for packet in algorithm.get_generator()
            )
        except Exception as raised:  # noqa: BLE001 - a run that fails must fail the same way
            result.error = f"{type(raised).__name__}: {raised}"
        reporter.finished()
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        while (payload := read_frame(file.fileno())) is not None:
            frame = pb.AttachRequest.FromString(payload)
            result.log += frame.log.entries
            result.fills += frame.fills.fills
            result.equity += zip(frame.equity.bars, frame.equity.values, strict=True)
    if player is not None:
        result.stamps = [stamp for stamp, _ in player.entries]
        result.log = [entry for _, entry in player.entries]
    return result


def difference(batch: Result, replay: Result) -> str:
    """The first difference between two runs, empty when there is none."""
    for name in ("trace", "error", "log", "fills", "equity"):
        theirs, mine = getattr(batch, name), getattr(replay, name)
        if theirs != mine:
            pairs = zip(theirs, mine, strict=False)
            first = next(((a, b) for a, b in pairs if a != b), (len(theirs), len(mine)))
            return f"{name}: batch {first[0]}\nsealed {first[1]}"
    return ""


def _names(tier: TierData) -> dict[int, str]:
    finder = tier.asset_finder
    return {asset.sid: asset.symbol for asset in finder.retrieve_all(finder.equities_sids)}
