"""CampaignService: creates, watches and steers campaigns."""
# ruff: noqa: N802, ARG002 (the proto names the methods, gRPC gives them their arguments)

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import lru_cache, partial
from typing import Any, final

import grpc

from stratlab.api.access.callers import current_caller
from stratlab.api.access.roles import denied
from stratlab.api.backend import Backend
from stratlab.api.convert.campaign import (
    artifact_to_proto,
    campaign_to_proto,
    estimate_to_proto,
    event_to_proto,
)
from stratlab.api.convert.iteration import iteration_to_proto
from stratlab.api.convert.spec import spec_fields
from stratlab.api.convert.trial import progress_to_proto
from stratlab.api.names import parse_artifact, parse_campaign, parse_iteration
from stratlab.api.paging import cut_page, decode_token, page_size
from stratlab.api.validation import MAX_REQUEST_ID, parse_spec, with_server_defaults
from stratlab.campaigns.estimate import estimate_campaign
from stratlab.campaigns.stats import StatsOfRevisions
from stratlab.domain.access import Role
from stratlab.domain.campaign import Campaign, CampaignSpec
from stratlab.domain.errors import InvalidInputError
from stratlab.domain.events import Event
from stratlab.domain.strategy import GeneratorKind
from stratlab.generation import templates_for
from stratlab_proto.v1 import campaign_service_pb2 as pb
from stratlab_proto.v1 import campaign_service_pb2_grpc as rpc

_Context = grpc.aio.ServicerContext[Any, Any]


@final
class CampaignServicer(rpc.CampaignServiceServicer):
    """Answers calls about campaigns; storage is read in threads.

    Args:
        backend: The lab behind the API.
        runtime: Container runtime of specifications that name none.
        generator: Who writes the strategies of specifications that do not say it.
        stats: Figures about campaigns.
    """

    def __init__(
        self, backend: Backend, runtime: str, generator: GeneratorKind, stats: StatsOfRevisions
    ) -> None:
        self._backend = backend
        self._runtime = runtime
        self._generator = generator
        self._stats = stats

    async def CreateCampaign(
        self, request: pb.CreateCampaignRequest, context: _Context
    ) -> pb.Campaign:
        """Validate a specification and start its campaign."""
        request_id = _request_id(request.request_id)
        spec = await self._checked(request.spec)
        actor = current_caller().name
        return await self._described(await self._backend.manager.create(spec, request_id, actor))

    async def EstimateCampaign(
        self, request: pb.EstimateCampaignRequest, context: _Context
    ) -> pb.CampaignEstimate:
        """Say what a campaign would cost; nothing is stored."""
        spec = await self._checked(request.spec)
        backend = self._backend
        estimate = await asyncio.to_thread(
            estimate_campaign, spec, backend.repository, backend.market_data
        )
        return estimate_to_proto(estimate)

    async def ReplayCampaign(
        self, request: pb.ReplayCampaignRequest, context: _Context
    ) -> pb.Campaign:
        """Run a completed campaign again from its models' recordings."""
        campaign_id, actor = parse_campaign(request.name), current_caller().name
        request_id = _request_id(request.request_id)
        manager = self._backend.manager
        return await self._described(await manager.replay(campaign_id, request_id, actor))

    async def GetCampaign(self, request: pb.GetCampaignRequest, context: _Context) -> pb.Campaign:
        """Return one campaign with its hall of fame and figures."""
        campaign_id = parse_campaign(request.name)
        repository = self._backend.repository
        return await self._described(await asyncio.to_thread(repository.get_campaign, campaign_id))

    async def ListCampaigns(
        self, request: pb.ListCampaignsRequest, context: _Context
    ) -> pb.ListCampaignsResponse:
        """Return campaigns, newest first."""
        size = page_size(request.page_size, default=50)
        after = decode_token("campaigns", request.page_token, "")
        campaigns = await asyncio.to_thread(
            self._backend.repository.list_campaigns, after=after, limit=size + 1
        )
        page, token = cut_page(
            campaigns, size, "campaigns", campaign_to_proto, lambda campaign: campaign.id
        )
        return pb.ListCampaignsResponse(campaigns=page, next_page_token=token)

    async def PauseCampaign(
        self, request: pb.PauseCampaignRequest, context: _Context
    ) -> pb.Campaign:
        """Stop a campaign before its next step."""
        return await self._steer(request.name, self._backend.manager.pause)

    async def ResumeCampaign(
        self, request: pb.ResumeCampaignRequest, context: _Context
    ) -> pb.Campaign:
        """Continue a paused campaign."""
        return await self._steer(request.name, self._backend.manager.resume)

    async def ApproveCampaign(
        self, request: pb.ApproveCampaignRequest, context: _Context
    ) -> pb.Campaign:
        """Accept or decline the candidate of a campaign that is paused for review."""
        approve = partial(self._backend.manager.approve, decline=request.decline)
        return await self._steer(request.name, approve)

    async def OpenHoldout(self, request: pb.OpenHoldoutRequest, context: _Context) -> pb.Campaign:
        """Open the holdout for a candidate of a completed campaign; only operators get here."""
        if request.iteration < 0:
            raise InvalidInputError("iteration: is negative", field="iteration")
        campaign_id, caller = parse_campaign(request.name), current_caller()
        manager = self._backend.manager
        return await self._described(
            await manager.open_holdout(campaign_id, caller.name, iteration=request.iteration)
        )

    async def CancelCampaign(
        self, request: pb.CancelCampaignRequest, context: _Context
    ) -> pb.Campaign:
        """End a campaign."""
        return await self._steer(request.name, self._backend.manager.cancel)

    async def WatchCampaign(
        self, request: pb.WatchCampaignRequest, context: _Context
    ) -> AsyncIterator[pb.WatchCampaignResponse]:
        """Replay stored events, then follow until the campaign ends."""
        campaign_id = parse_campaign(request.name)
        if request.after_event < 0:
            raise InvalidInputError("after_event: is negative", field="after_event")
        # A stream that cannot start should say so before its first item.
        await asyncio.to_thread(self._backend.repository.get_campaign, campaign_id)
        items = self._backend.manager.watch(
            campaign_id, after=request.after_event, include_progress=request.include_progress
        )
        async for item in items:
            if isinstance(item, Event):
                yield _event_response(item)
            else:
                yield pb.WatchCampaignResponse(progress=progress_to_proto(item))

    async def ListIterations(
        self, request: pb.ListIterationsRequest, context: _Context
    ) -> pb.ListIterationsResponse:
        """Return iterations in order."""
        campaign_id = parse_campaign(request.parent)
        size = page_size(request.page_size, default=100)
        scope = f"{request.parent}/iterations"
        after = decode_token(scope, request.page_token, 0)
        repository = self._backend.repository
        campaign = await asyncio.to_thread(repository.get_campaign, campaign_id)
        iterations = await asyncio.to_thread(
            repository.list_iterations, campaign_id, after=after, limit=size + 1
        )
        page, token = cut_page(
            iterations,
            size,
            scope,
            lambda iteration: iteration_to_proto(iteration, campaign.spec.limits),
            lambda iteration: iteration.number,
        )
        return pb.ListIterationsResponse(iterations=page, next_page_token=token)

    async def GetIteration(
        self, request: pb.GetIterationRequest, context: _Context
    ) -> pb.Iteration:
        """Return one iteration with its trials."""
        campaign_id, number = parse_iteration(request.name)
        repository = self._backend.repository
        campaign = await asyncio.to_thread(repository.get_campaign, campaign_id)
        iteration = await asyncio.to_thread(repository.get_iteration, campaign_id, number)
        return iteration_to_proto(iteration, campaign.spec.limits)

    async def ListArtifacts(
        self, request: pb.ListArtifactsRequest, context: _Context
    ) -> pb.ListArtifactsResponse:
        """Return descriptions of the files of a campaign."""
        campaign_id = parse_campaign(request.parent)
        size = page_size(request.page_size, default=1000)
        scope = f"{request.parent}/artifacts"
        after = decode_token(scope, request.page_token, "")
        await asyncio.to_thread(self._backend.repository.get_campaign, campaign_id)
        artifacts = await asyncio.to_thread(self._backend.artifacts.list, campaign_id)
        rest = [artifact for artifact in artifacts if artifact.name > after]
        page, token = cut_page(
            rest[: size + 1], size, scope, artifact_to_proto, lambda artifact: artifact.name
        )
        return pb.ListArtifactsResponse(artifacts=page, next_page_token=token)

    async def DownloadArtifact(
        self, request: pb.DownloadArtifactRequest, context: _Context
    ) -> AsyncIterator[pb.DownloadArtifactResponse]:
        """Stream one file; bytes that do not match its digest end in an error."""
        artifacts = self._backend.artifacts
        artifact = await asyncio.to_thread(artifacts.get, *parse_artifact(request.name))
        chunks = artifacts.read(artifact)
        while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
            yield pb.DownloadArtifactResponse(data=chunk)

    async def _checked(self, message: pb.CampaignSpec) -> CampaignSpec:
        spec = parse_spec(spec_fields(message))
        data_set = await asyncio.to_thread(self._backend.market_data.get, spec.data_set)
        spec = with_server_defaults(spec, data_set, self._runtime, self._generator)
        # A search that could generate nothing is refused before it is stored.
        await asyncio.to_thread(templates_for, spec)
        return spec

    async def _steer(
        self, name: str, move: Callable[[str, str], Awaitable[Campaign]]
    ) -> pb.Campaign:
        campaign_id, caller = parse_campaign(name), current_caller()
        if caller.role < Role.OPERATOR:
            repository = self._backend.repository
            creation = await asyncio.to_thread(repository.events, campaign_id, limit=1)
            if creation and json.loads(creation[0].payload).get("actor") != caller.name:
                raise denied(caller, Role.OPERATOR, "steer campaigns of others")
        return await self._described(await move(campaign_id, caller.name))

    async def _described(self, campaign: Campaign) -> pb.Campaign:
        repository = self._backend.repository
        entries = await asyncio.to_thread(repository.hall_of_fame, campaign.id)
        stats = await asyncio.to_thread(self._stats.of, campaign)
        openings = await asyncio.to_thread(repository.holdout_openings, campaign_id=campaign.id)
        return campaign_to_proto(campaign, hall_of_fame=entries, stats=stats, openings=openings)


# Watchers of one campaign get the same message: making it costs more than sending it.
@lru_cache(maxsize=2048)
def _event_response(event: Event) -> pb.WatchCampaignResponse:
    return pb.WatchCampaignResponse(event=event_to_proto(event))


def _request_id(sent: str) -> str:
    if len(sent) > MAX_REQUEST_ID:
        raise InvalidInputError(
            f"request_id: longer than {MAX_REQUEST_ID} characters", field="request_id"
        )
    return sent or uuid.uuid4().hex
