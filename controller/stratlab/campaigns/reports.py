"""Writes what a campaign leaves behind, always from the store: files are copies, never a source."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import final

from stratlab.campaigns.descriptions import check_description, description_section
from stratlab.campaigns.history import all_iterations
from stratlab.campaigns.model_results import model_section
from stratlab.campaigns.replay import FILE_NAME as REPLAY_NAME
from stratlab.campaigns.replay import compare
from stratlab.campaigns.report_text import campaign_report
from stratlab.campaigns.tear_sheets import TEAR_SHEET_NAME, TearSheets
from stratlab.domain.campaign import Campaign, Iteration
from stratlab.domain.errors import DataSetNotFoundError
from stratlab.domain.events import Event
from stratlab.domain.market import DataSet
from stratlab.domain.ports import Artifacts, MarketData, Repository
from stratlab.domain.strategy import Candidate
from stratlab.domain.trial import Parameters
from stratlab.tear_sheet import tear_sheet

REPORT_NAME = "report.md"
_EVENT_PAGE = 1000

Export = Callable[[Candidate, Campaign, Parameters, str], Iterable[tuple[str, bytes]]]
"""Renders a candidate for every export target, see :func:`campaigns.exports.export_best`."""


@final
class Reports:
    """Keeps the artefact tree of DESIGN.md up to date."""

    def __init__(
        self,
        repository: Repository,
        artifacts: Artifacts,
        market_data: MarketData,
        export: Export,
    ) -> None:
        self._repository = repository
        self._artifacts = artifacts
        self._market_data = market_data
        self._export = export
        self._sheets = TearSheets(repository, artifacts, market_data)

    def after_step(self, campaign: Campaign, iteration: Iteration | None) -> None:
        """Write what a step changed; everything when the campaign has become final."""
        if iteration is not None and iteration.ended_at is not None:
            self._write_iteration(campaign, iteration, {})
        if campaign.state.is_final:
            self._write_final(campaign)

    def write_missing(self, campaign: Campaign) -> None:
        """Write the files of a final campaign when a crash came before them."""
        names = {artifact.name for artifact in self._artifacts.list(campaign.id)}
        if REPORT_NAME not in names:
            self._write_final(campaign)

    def _write_iteration(
        self, campaign: Campaign, iteration: Iteration, digests: Mapping[str, str]
    ) -> None:
        stem = f"iter_{iteration.number}"
        document = _json(asdict(iteration)).encode()
        files = {f"iterations/{stem}.json": ("application/json", document)}
        if iteration.patch:
            files[f"patches/{stem}.diff"] = ("text/x-diff", iteration.patch.encode())
        description = f"descriptions/{stem}.json"
        if description not in digests:
            found = check_description(campaign, iteration, self._artifacts, self._market_data)
            if found is not None:
                shown = _json({**asdict(found), "fits": found.fits})
                files[description] = ("application/json", shown.encode())
        changed = {
            name: file
            for name, file in files.items()
            if digests.get(name) != hashlib.sha256(file[1]).hexdigest()
        }
        if changed:
            self._artifacts.put_all(campaign.id, changed)

    def _write_final(self, campaign: Campaign) -> None:
        iterations = all_iterations(self._repository, campaign.id)
        digests = {file.name: file.digest for file in self._artifacts.list(campaign.id)}
        for iteration in iterations:
            # A crash or a full disk may have come between a step and its files.
            self._write_iteration(campaign, iteration, digests)
        data_set = self._data_set(campaign)
        best = next((i for i in iterations if _is_about(campaign, i)), None)
        if data_set and best and best.candidate and best.evaluation:
            exports = self._export(
                best.candidate, campaign, best.evaluation.parameters, data_set.calendar
            )
            for name, content in exports:
                self._artifacts.put(campaign.id, f"exports/{name}", "text/plain", content)
        openings = self._repository.holdout_openings(campaign_id=campaign.id)
        shown_openings = {"holdout_openings": [asdict(opening) for opening in openings]}
        self._put(
            campaign, "campaign.json", "application/json", _json(asdict(campaign) | shown_openings)
        )
        for found in self._repository.examinations(campaign.id):
            name = f"examinations/iter_{found.subject.iteration}.json"
            self._put(campaign, name, "application/json", _json(asdict(found)))
        audit = "".join(_line(event) for event in self._events(campaign.id))
        self._put(campaign, "audit.jsonl", "application/jsonl", audit)
        if campaign.replay_of:
            compared = compare(self._repository, campaign)
            shown = {**asdict(compared), "is_identical": compared.is_identical}
            self._put(campaign, REPLAY_NAME, "application/json", _json(shown))
        hall_of_fame = self._repository.hall_of_fame(campaign.id)
        caveats = data_set.caveats if data_set else ("The data set was removed or replaced.",)
        sheet = self._sheets.collect(campaign, iterations, data_set, caveats)
        self._put(campaign, TEAR_SHEET_NAME, "text/html", tear_sheet(sheet))
        points = self._repository.point_counts(campaign.id)
        text = campaign_report(campaign, iterations, hall_of_fame, caveats, points, openings)
        text += model_section(iterations, self._repository.ledger().spent(campaign.id))
        text += description_section(self._descriptions(campaign.id))
        # Last: its presence says that all the others are there.
        self._put(campaign, REPORT_NAME, "text/markdown", text)

    def _descriptions(self, campaign_id: str) -> dict[int, dict[str, object]]:
        return {
            int(Path(file.name).stem.removeprefix("iter_")): json.loads(
                b"".join(self._artifacts.read(file))
            )
            for file in self._artifacts.list(campaign_id)
            if file.name.startswith("descriptions/")
        }

    def _data_set(self, campaign: Campaign) -> DataSet | None:
        # After a crash a report may be written when the data of a final campaign are gone.
        try:
            data_set = self._market_data.get(campaign.spec.data_set)
        except DataSetNotFoundError:
            return None
        return data_set if data_set.digest == campaign.data_digest else None

    def _events(self, campaign_id: str) -> Iterable[Event]:
        last = 0
        while page := self._repository.events(campaign_id, after=last, limit=_EVENT_PAGE):
            yield from page
            last = page[-1].number

    def _put(self, campaign: Campaign, name: str, media_type: str, text: str) -> None:
        self._artifacts.put(campaign.id, name, media_type, text.encode())


def _is_about(campaign: Campaign, iteration: Iteration) -> bool:
    verdict, candidate = campaign.verdict, iteration.candidate
    return verdict is not None and candidate is not None and candidate.hash == verdict.candidate


def _line(event: Event) -> str:
    record = asdict(event) | {"payload": json.loads(event.payload)}
    return json.dumps(record, default=_text, sort_keys=True) + "\n"


def _json(value: object) -> str:
    return json.dumps(value, default=_text, indent=2, sort_keys=True, allow_nan=False) + "\n"


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
