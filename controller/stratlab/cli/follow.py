"""Follows a campaign on stderr: a live panel on a terminal, plain lines elsewhere."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stratlab.cli.output import notes_console, print_note
from stratlab.cli.review import review_lines, waits_for_review
from stratlab.cli.watch_view import WatchView
from stratlab.client import Client
from stratlab_proto.v1 import campaign_service_pb2 as pb

if TYPE_CHECKING:
    from rich.table import Table

_REFRESH_SECONDS = 0.1
_SPARKLINE_WIDTH = 40


def follow(
    client: Client,
    campaign: pb.Campaign,
    *,
    after: int = 0,
    stop_when_paused: bool = False,
    on_item: Callable[[pb.WatchCampaignResponse], None] | None = None,
    quiet: bool = False,
) -> WatchView:
    """Show a campaign's progress until it is final.

    Args:
        client: The connection.
        campaign: What to follow.
        after: Number of the last event that need not be shown.
        stop_when_paused: Whether to return when the campaign is paused.
        on_item: Called with every item.
        quiet: Whether to show nothing.
    """
    view = _view_of(campaign)
    items = client.watch_campaign(campaign.name, after=after, include_progress=True)
    with contextlib.closing(items), _display(view, quiet=quiet) as show:
        for item in items:
            line = view.update(item)
            show(line)
            if on_item is not None:
                on_item(item)
            if item.HasField("event") and view.is_in_review and not stop_when_paused:
                for told in _review(client, campaign):
                    show(told)
            if stop_when_paused and view.is_paused and _is_still_paused(client, campaign):
                break
    return view


def _review(client: Client, campaign: pb.Campaign) -> list[str]:
    # A replayed review may be over.
    found = client.get_campaign(campaign.name)
    return review_lines(client, found) if waits_for_review(found) else []


def _is_still_paused(client: Client, campaign: pb.Campaign) -> bool:
    # A replayed pause may have ended long ago.
    return client.get_campaign(campaign.name).state == pb.Campaign.STATE_PAUSED


def _view_of(campaign: pb.Campaign) -> WatchView:
    rules = campaign.spec.stop_rules
    return WatchView(
        max_iterations=rules.max_iterations or None,
        max_wall_seconds=float(rules.max_wall_time.ToSeconds()) or None,
    )


@contextlib.contextmanager
def _display(view: WatchView, *, quiet: bool) -> Iterator[Callable[[str], None]]:
    if quiet:
        yield lambda _: None
    elif not sys.stderr.isatty():
        yield lambda line: print_note(line) if line else None
    else:
        with _live(view) as show:
            yield show


@contextlib.contextmanager
def _live(view: WatchView) -> Iterator[Callable[[str], None]]:
    from rich.live import Live  # noqa: PLC0415 (only a terminal needs it)

    screen = notes_console()
    # Rendered by a function, so that the clock goes on between events.
    with Live(
        console=screen,
        refresh_per_second=4,
        transient=True,
        get_renderable=lambda: panel(view),
    ) as live:
        last = 0.0

        def show(line: str) -> None:
            nonlocal last
            if line and not line.startswith(("state", "trial")):
                live.console.print(line)
            if time.monotonic() - last > _REFRESH_SECONDS:
                live.refresh()
                last = time.monotonic()

        yield show


def panel(view: WatchView) -> "Table":
    """Return the live panel."""
    from rich.progress_bar import ProgressBar  # noqa: PLC0415 (only a terminal needs it)
    from rich.table import Table  # noqa: PLC0415 (only a terminal needs it)

    left = view.seconds_left(datetime.now(UTC))
    bound = view.max_iterations
    grid = Table.grid(padding=(0, 2))
    iterations = f"{view.iteration} of {bound}" if bound else str(view.iteration)
    grid.add_row("iteration", iterations, ProgressBar(bound or 1, view.iterations_done, width=30))
    grid.add_row("state", view.state, view.state_reason)
    grid.add_row(
        "trials", f"{view.trials_finished} done", ProgressBar(1.0, view.trial_fraction, width=30)
    )
    best = "none yet" if view.best_score is None else f"{view.best_score:.4f}"
    grid.add_row("best score", best, "")
    grid.add_row("equity", "", view.equity_line(_SPARKLINE_WIDTH))
    grid.add_row("time left", "unknown yet" if left is None else f"about {duration(left)}", "")
    return grid


def duration(seconds: float) -> str:
    """Return a length of time for people: ``1 h 2 min``, ``3 min 4 s``, ``5 s``."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
