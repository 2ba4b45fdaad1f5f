"""Tools that explain: why a campaign ended as it did, one iteration, the files it left."""

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

from pydantic import Field

from stratlab.client import Client
from stratlab.client.plain import plain
from stratlab.domain.errors import InvalidInputError, NotFoundError
from stratlab.mcp.campaigns import CampaignName, summary
from stratlab.mcp.lab import Lab, Progress
from stratlab.mcp.tool import Arguments, Tool
from stratlab_proto.v1 import campaign_service_pb2 as pb

_REPORT = "report.md"
_PAGE_BYTES = 16_000
_REPORT_BYTES = 8000
_MAX_OFFSET = 64 * 1024 * 1024
_MAX_ITERATIONS = 100
_ITERATIONS_PAGE = 20
_MAX_FILES = 200
_TEXTS = ("text/", "application/json", "application/jsonl")
_EXPLAINED = (
    "verdict",
    "hall_of_fame",
    "holdout_openings",
    "stats",
    "result_hash",
    "data_digest",
    "replay_of",
)


class _Explain(Arguments):
    campaign: CampaignName


class _Iteration(Arguments):
    campaign: CampaignName
    number: int = Field(ge=1, le=2**31 - 1)


class _File(Arguments):
    campaign: CampaignName
    path: str = Field(min_length=1, max_length=256, description="From the files of the campaign.")
    offset: int = Field(default=0, ge=0, le=_MAX_OFFSET, description="next_offset from before.")


async def _explain(lab: Lab, arguments: _Explain, progress: Progress) -> dict[str, Any]:
    del progress
    return await lab.ask(lambda client: _explanation(client, arguments.campaign))


async def _show_iteration(lab: Lab, arguments: _Iteration, progress: Progress) -> dict[str, Any]:
    del progress
    found = await lab.ask(lambda client: client.get_iteration(arguments.campaign, arguments.number))
    return plain(found)


async def _read_file(lab: Lab, arguments: _File, progress: Progress) -> dict[str, Any]:
    del progress
    return await lab.ask(lambda client: _page_of(client, arguments))


def _explanation(client: Client, name: str) -> dict[str, Any]:
    campaign = client.get_campaign(name)
    record = plain(campaign)
    files = _files(client, campaign.name)
    report = next((file for path, file in files if path == _REPORT), None)
    return (
        summary(campaign)
        | {field: record[field] for field in _EXPLAINED}
        | {
            "iterations": _iterations(client, campaign.name),
            "caveats": _caveats(client, campaign),
            "files": [{"path": path, "bytes": file.size_bytes} for path, file in files],
            "report": _page(client, report, 0, _REPORT_BYTES) if report else None,
        }
    )


def _iterations(client: Client, name: str) -> list[dict[str, Any]]:
    pages = client.list_iterations(name, page_size=_ITERATIONS_PAGE)
    rows = [_row(iteration) for iteration in pages]
    return rows[-_MAX_ITERATIONS:]


def _row(iteration: pb.Iteration) -> dict[str, Any]:
    record = plain(iteration)
    candidate, judged = record["candidate"], record["evaluation"]
    return {
        "number": iteration.number,
        "strategy_id": candidate["strategy_id"] if candidate else None,
        "candidate": candidate["hash"] if candidate else None,
        "level": judged["level"] if judged else None,
        "score": judged["score"] if judged else None,
        "failed_gates": [
            {name: gate[name] for name in ("gate", "value", "bound")}
            for gate in (judged["gates"] if judged else ())
            if not gate["passed"]
        ],
        "failure": record["failure"] or None,
    }


def _caveats(client: Client, campaign: pb.Campaign) -> list[str]:
    for data_set in client.list_datasets():
        if data_set.digest == campaign.data_digest:
            return list(data_set.caveats)
    return [f"The data set {campaign.spec.data_set} of this campaign was removed or replaced."]


def _files(client: Client, campaign: str) -> list[tuple[str, pb.Artifact]]:
    files = client.list_artifacts(campaign, page_size=_MAX_FILES)
    return [(file.name.partition("/artifacts/")[2], file) for file in files]


def _page_of(client: Client, arguments: _File) -> dict[str, Any]:
    campaign = client.get_campaign(arguments.campaign).name
    file = dict(_files(client, campaign)).get(arguments.path)
    if file is None:
        raise NotFoundError(
            f"{campaign} has no file {arguments.path}",
            hint="explain_campaign lists the files; most are written when a campaign ends.",
        )
    if not file.media_type.startswith(_TEXTS):
        raise InvalidInputError(f"{arguments.path} is no text", hint="Choose another file.")
    return _page(client, file, arguments.offset, _PAGE_BYTES)


def _page(client: Client, file: pb.Artifact, offset: int, size: int) -> dict[str, Any]:
    with closing(_pieces(client, file)) as pieces:
        content = _read(pieces, offset, size)
    end = offset + len(content)
    return {
        "path": file.name.partition("/artifacts/")[2],
        # A character may begin on this page and end on the next.
        "text": content.decode("utf-8", errors="replace"),
        "bytes": file.size_bytes,
        "next_offset": end if content and end < file.size_bytes else None,
    }


def _pieces(client: Client, file: pb.Artifact) -> Generator[bytes, None, None]:
    yield from client.download_artifact(file.name)


def _read(pieces: Iterator[bytes], offset: int, size: int) -> bytes:
    # What lies before the page is dropped as it comes.
    content = b""
    for piece in pieces:
        skipped = min(offset, len(piece))
        offset -= skipped
        content += piece[skipped:]
        if len(content) >= size:
            break
    return content[:size]


EXPLAIN = Tool(
    "explain_campaign",
    "Explain a campaign: the verdict with every rule, its value, bound and evidence, the hall of "
    "fame, what became of each iteration, openings of the holdout, caveats of the data, its files, "
    "and the beginning of the report.",
    _Explain,
    _explain,
)
SHOW_ITERATION = Tool(
    "show_iteration",
    "Show one iteration: the candidate with its thesis and source, its trials, gates and critique.",
    _Iteration,
    _show_iteration,
)
READ_FILE = Tool(
    "read_campaign_file",
    "Read a text file of a campaign, such as report.md or an export, page by page.",
    _File,
    _read_file,
)
