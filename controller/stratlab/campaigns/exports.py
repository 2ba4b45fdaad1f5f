"""Renders a campaign's best candidate for every installed export target."""

import json
from collections.abc import Iterator
from dataclasses import asdict

from stratlab.domain.campaign import Campaign
from stratlab.domain.strategy import Candidate
from stratlab.domain.trial import Parameters


def export_best(
    candidate: Candidate, campaign: Campaign, parameters: Parameters, calendar: str
) -> Iterator[tuple[str, bytes]]:
    """Yield (file name, content) of every target, then what the exporters had to say, if anything.

    Args:
        candidate: What to export.
        campaign: Its costs and capital; its first market set is the one that is exported.
        parameters: Values for ``context.params``.
        calendar: Exchange calendar of the data set.
    """
    # keeps start-up fast: plug-ins are looked up among all installed packages
    from stratlab_exporters.base import ExportRequest  # noqa: PLC0415
    from stratlab_exporters.registry import export_candidate  # noqa: PLC0415

    request = ExportRequest(
        candidate=candidate,
        parameters=parameters,
        symbols=campaign.spec.markets[0],
        cost_model=campaign.spec.cost_model,
        capital=campaign.spec.capital,
        calendar=calendar,
        timeframe=campaign.spec.timeframes[0],
    )
    results = export_candidate(request)
    for result in results.values():
        yield from result.files.items()
    said = [asdict(item) for result in results.values() for item in result.diagnostics]
    if said:
        yield "diagnostics.json", (json.dumps(said, indent=2, sort_keys=True) + "\n").encode()
