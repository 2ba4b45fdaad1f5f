"""What a watcher knows of a campaign, folded from its events and live progress."""

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, final

from stratlab.domain.campaign import REVIEW_REASON
from stratlab_proto.v1 import campaign_service_pb2 as pb

_EQUITY_KEPT = 400
_FINDINGS_TOLD = 5
_BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: list[float], width: int) -> str:
    """Return values as a line of bars, lowest to highest, at most ``width`` wide."""
    if not values:
        return ""
    step = max(len(values) / width, 1.0)
    kept = [values[int(index * step)] for index in range(int(len(values) / step))]
    kept[-1] = values[-1]
    low, high = min(kept), max(kept)
    span = high - low
    top = len(_BARS) - 1
    return "".join(_BARS[round((value - low) / span * top) if span else 0] for value in kept)


@final
@dataclass(slots=True)
class WatchView:
    """The state of a watch.

    Attributes:
        max_iterations: Bound of the stop rules, None when it is off.
        max_wall_seconds: The same for time in the states that work.
        state, state_reason: Of the last transition.
        iteration: Number of the current one.
        trials_started, trials_finished: In the whole campaign.
        best_score: None before the first score.
        iterations_done: Evaluated ones.
        trial_fraction: Share of the running trial that is done.
        started_at, last_at: Time of the first and the last event (UTC).
        last_event: Number of the last event.
    """

    max_iterations: int | None = None
    max_wall_seconds: float | None = None
    state: str = "queued"
    state_reason: str = ""
    iteration: int = 0
    trials_started: int = 0
    trials_finished: int = 0
    best_score: float | None = None
    iterations_done: int = 0
    trial_fraction: float = 0.0
    started_at: datetime | None = None
    last_at: datetime | None = None
    last_event: int = 0
    _trial: str = ""
    _champion: str = ""
    _equity: deque[float] = field(default_factory=lambda: deque(maxlen=_EQUITY_KEPT))

    @property
    def is_paused(self) -> bool:
        """Whether the campaign stands still until somebody resumes it."""
        return self.state == "paused"

    @property
    def is_in_review(self) -> bool:
        """Whether it stands still until somebody decides on its candidate."""
        return self.is_paused and self.state_reason == REVIEW_REASON

    def equity_line(self, width: int) -> str:
        """Return the running trial's equity so far as a line of bars."""
        return sparkline(list(self._equity), width)

    def seconds_left(self, now: datetime) -> float | None:
        """Return an estimate from the pace so far, None before the first iteration is done.

        Args:
            now: UTC.
        """
        if self.started_at is None:
            return None
        elapsed = (now - self.started_at).total_seconds()
        estimates = []
        if self.max_iterations is not None and self.iterations_done:
            open_iterations = max(self.max_iterations - self.iterations_done, 0)
            estimates.append(elapsed / self.iterations_done * open_iterations)
        if self.max_wall_seconds is not None and (estimates or self.max_iterations is None):
            estimates.append(max(self.max_wall_seconds - elapsed, 0.0))
        return min(estimates, default=None)

    def update(self, item: pb.WatchCampaignResponse) -> str:
        """Take an item in and return a line about it for people, "" when it is a detail."""
        if item.HasField("progress"):
            self._on_progress(item.progress)
            return ""
        event = item.event
        at = event.time.ToDatetime(tzinfo=UTC)
        self.started_at = self.started_at or at
        self.last_at = at
        self.last_event = event.number
        return self._on_event(event.kind, event)

    def _on_progress(self, progress: pb.TrialProgress) -> None:
        if progress.trial_id != self._trial:
            self._trial = progress.trial_id
            self._equity.clear()
        self.trial_fraction = progress.fraction
        self._equity.append(progress.equity)

    def _on_event(self, kind: str, event: pb.Event) -> str:
        values, line = event.payload.fields, ""
        match kind:
            case "state_changed":
                self.state = values["to"].string_value
                self.state_reason = values["reason"].string_value
                line = f"state {self.state} ({self.state_reason})"
            case "iteration_started":
                self.iteration = int(values["iteration"].number_value)
                line = f"iteration {self.iteration}{_of(self.max_iterations)}"
            case "candidate_generated":
                name, operator = values["strategy_id"].string_value, values["operator"].string_value
                line = f"candidate {name} ({operator})"
            case "candidate_screened":
                line = _screening(values)
            case "trial_started":
                self.trials_started += 1
                self.trial_fraction = 0.0
            case "trial_finished":
                self.trials_finished += 1
                line = f"trial {values['trial'].string_value}: {values['outcome'].string_value}"
            case "iteration_evaluated":
                line = self._on_evaluation(event)
            case "hall_of_fame_changed" if values["champion"].string_value != self._champion:
                self._champion = values["champion"].string_value
                line = f"new champion, score {values['score'].number_value:.4f}"
            case _:
                line = _judging(kind, values)
        return line

    def _on_evaluation(self, event: pb.Event) -> str:
        values = event.payload.fields
        self.iterations_done += 1
        if failure := values["failure"].string_value:
            return f"iteration {self.iteration} failed: {failure}"
        if values["score"].WhichOneof("kind") != "number_value":
            return f"iteration {self.iteration} has no score"
        score = values["score"].number_value
        self.best_score = score if self.best_score is None else max(score, self.best_score)
        return f"iteration {self.iteration} score {score:.4f}, best {self.best_score:.4f}"


def _judging(kind: str, values: Any) -> str:  # noqa: ANN401 (proto containers have no useful types)
    match kind:
        case "check_finished":
            told = values["failure"].string_value or values["outcome"].string_value or "done"
            return f"check {values['check'].string_value}: {told}"
        case "holdout_opened":
            look = int(values["looks"].number_value)
            return f"holdout opened, look {look} at {values['data_set'].string_value}"
        case "budget_warning":
            percent, of = int(values["percent"].number_value), values["of"].string_value
            return f"{percent} % of the bound on {of} are spent or reserved"
        case "verdict_reached":
            return f"verdict {values['verdict'].string_value}"
        case _:
            return ""


def _screening(values: Any) -> str:  # noqa: ANN401 (the same)
    findings = [item.struct_value.fields for item in values["findings"].list_value.values]
    told = [
        f"{finding['severity'].string_value} {finding['rule'].string_value}{_at(finding)}"
        for finding in findings
    ]
    if not told:
        return ""
    more = f" and {len(told) - _FINDINGS_TOLD} more" if len(told) > _FINDINGS_TOLD else ""
    word = "found" if values["passed"].bool_value else "rejected it"
    return f"screening {word}: {', '.join(told[:_FINDINGS_TOLD])}{more}"


def _at(finding: Any) -> str:  # noqa: ANN401 (the same)
    line = int(finding["line"].number_value)
    return f" in line {line}" if line else ""


def _of(bound: int | None) -> str:
    return f" of {bound}" if bound is not None else ""
