"""A synchronous client: one method per call, deadlines, retries, typed errors."""

import time
import uuid
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from stratlab.client.channel import Identity, open_channel
from stratlab.client.errors import retry_seconds, typed_error
from stratlab.domain.errors import ServerStoppingError, ServerUnreachableError
from stratlab_proto.v1 import (
    backtest_service_pb2,
    backtest_service_pb2_grpc,
    campaign_service_pb2,
    campaign_service_pb2_grpc,
    strategy_service_pb2,
    strategy_service_pb2_grpc,
)

_SANDBOX_SERVICE = "sandbox"
_PAUSES = (0.1, 0.3, 0.9)  # seconds between the tries of a repeatable call
_PROBE_SECONDS = 2.0
_SMOKE_DEADLINE = 120.0
_SENSITIVITY_DEADLINE = 120.0
_WATCH_PAUSE = 0.5
_WATCH_TRIES = 20

_Answer = TypeVar("_Answer")


@final
class Client:
    """Talks to one controller.

    Every method raises the typed errors of :mod:`stratlab.domain.errors`;
    :class:`~stratlab.domain.errors.ServerUnreachableError` when nobody answers. Campaigns are
    named by id or by resource name (``campaigns/{id}``).

    Args:
        address: ``unix:/path``; ``host:port`` or ``https://host:port`` for TLS;
            ``http://127.0.0.1:port`` for plaintext on loopback.
        timeout: Deadline of each unary call, in seconds, its repetitions excluded.
        token: Proves who calls; needed for everything but a unix socket.
        ca: PEM file with the certificates to trust; None for those that come with gRPC.
        certificate: PEM file with the certificate that a server with mTLS asks for.
        key: PEM file with its private key, of mode 0600.

    Raises:
        InvalidInputError: The address or a file cannot be used.
        UnsafeConfigurationError: A token would travel in plaintext to another machine, or others
            can read the key.
    """

    def __init__(
        self,
        address: str,
        *,
        timeout: float = 30.0,
        token: str = "",
        ca: Path | None = None,
        certificate: Path | None = None,
        key: Path | None = None,
    ) -> None:
        self._timeout = timeout
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        identity = Identity(ca=ca, certificate=certificate, key=key)
        self._channel = open_channel(address, identity)
        self._campaigns = campaign_service_pb2_grpc.CampaignServiceStub(self._channel)
        self._backtests = backtest_service_pb2_grpc.BacktestServiceStub(self._channel)
        self._strategies = strategy_service_pb2_grpc.StrategyServiceStub(self._channel)
        self._health = health_pb2_grpc.HealthStub(self._channel)

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection; running streams end."""
        self._channel.close()

    def is_serving(self) -> bool:
        """Return whether a controller answers, without waiting for one."""
        try:
            return self._check_health("", _PROBE_SECONDS)
        except ServerUnreachableError:
            return False

    def is_sandbox_ready(self) -> bool:
        """Return whether trials run at once, because every limit is proven."""
        return self._check_health(_SANDBOX_SERVICE, self._timeout)

    def create_campaign(
        self, spec: campaign_service_pb2.CampaignSpec, *, request_id: str = ""
    ) -> campaign_service_pb2.Campaign:
        """Create a campaign and start it.

        Args:
            spec: What to search for.
            request_id: The same one twice creates one campaign; "" for a fresh one.
        """
        request = campaign_service_pb2.CreateCampaignRequest(
            spec=spec, request_id=request_id or uuid.uuid4().hex
        )
        return self._repeat(self._campaigns.CreateCampaign, request)

    def estimate_campaign(
        self, spec: campaign_service_pb2.CampaignSpec
    ) -> campaign_service_pb2.CampaignEstimate:
        """Return what a campaign would cost and what its winner would have to show."""
        request = campaign_service_pb2.EstimateCampaignRequest(spec=spec)
        return self._repeat(self._campaigns.EstimateCampaign, request)

    def replay_campaign(
        self, campaign: str, *, request_id: str = ""
    ) -> campaign_service_pb2.Campaign:
        """Run a completed campaign again from its models' recordings."""
        request = campaign_service_pb2.ReplayCampaignRequest(
            name=_name(campaign), request_id=request_id or uuid.uuid4().hex
        )
        return self._repeat(self._campaigns.ReplayCampaign, request)

    def get_campaign(self, campaign: str) -> campaign_service_pb2.Campaign:
        """Return one campaign with its hall of fame and figures."""
        request = campaign_service_pb2.GetCampaignRequest(name=_name(campaign))
        return self._repeat(self._campaigns.GetCampaign, request)

    def list_campaigns(self, *, page_size: int = 0) -> Iterator[campaign_service_pb2.Campaign]:
        """Yield all campaigns, newest first, page by page."""
        token = ""
        while True:
            page = self._repeat(
                self._campaigns.ListCampaigns,
                campaign_service_pb2.ListCampaignsRequest(page_size=page_size, page_token=token),
            )
            yield from page.campaigns
            if not (token := page.next_page_token):
                return

    def pause_campaign(self, campaign: str) -> campaign_service_pb2.Campaign:
        """Stop a campaign before its next step."""
        request = campaign_service_pb2.PauseCampaignRequest(name=_name(campaign))
        return self._once(self._campaigns.PauseCampaign, request)

    def resume_campaign(self, campaign: str) -> campaign_service_pb2.Campaign:
        """Continue a paused campaign."""
        request = campaign_service_pb2.ResumeCampaignRequest(name=_name(campaign))
        return self._once(self._campaigns.ResumeCampaign, request)

    def approve_campaign(
        self, campaign: str, *, decline: bool = False
    ) -> campaign_service_pb2.Campaign:
        """Accept or decline the candidate of a campaign that is paused for review."""
        request = campaign_service_pb2.ApproveCampaignRequest(name=_name(campaign), decline=decline)
        return self._once(self._campaigns.ApproveCampaign, request)

    def open_holdout(self, campaign: str, *, iteration: int = 0) -> campaign_service_pb2.Campaign:
        """Open the holdout for a candidate of a completed campaign; watch it for the verdict."""
        request = campaign_service_pb2.OpenHoldoutRequest(name=_name(campaign), iteration=iteration)
        return self._once(self._campaigns.OpenHoldout, request)

    def cancel_campaign(self, campaign: str) -> campaign_service_pb2.Campaign:
        """End a campaign."""
        request = campaign_service_pb2.CancelCampaignRequest(name=_name(campaign))
        return self._once(self._campaigns.CancelCampaign, request)

    def watch_campaign(
        self, campaign: str, *, after: int = 0, include_progress: bool = False
    ) -> Generator[campaign_service_pb2.WatchCampaignResponse, None, None]:
        """Yield stored events, then follow until the campaign ends.

        A connection that breaks is made again and continues behind the last event received, so
        events come once each and in order. Gives up after ten seconds without a server.

        Args:
            campaign: Id or name.
            after: Number of the last event the caller has.
            include_progress: Whether to yield live progress of trials too.
        """
        tries = 0
        while True:
            request = campaign_service_pb2.WatchCampaignRequest(
                name=_name(campaign), after_event=after, include_progress=include_progress
            )
            try:
                for item in self._stream(self._campaigns.WatchCampaign, request):
                    tries = 0
                    after = item.event.number or after
                    yield item
            except ServerUnreachableError as error:
                tries += 1
                # A server that was never there is reported at once.
                was_there = after or isinstance(error, ServerStoppingError)
                if tries > _WATCH_TRIES or not was_there:
                    raise
                time.sleep(_WATCH_PAUSE)
            else:
                return

    def list_iterations(
        self, campaign: str, *, page_size: int = 0
    ) -> Iterator[campaign_service_pb2.Iteration]:
        """Yield all iterations in order, page by page."""
        token = ""
        while True:
            page = self._repeat(
                self._campaigns.ListIterations,
                campaign_service_pb2.ListIterationsRequest(
                    parent=_name(campaign), page_size=page_size, page_token=token
                ),
            )
            yield from page.iterations
            if not (token := page.next_page_token):
                return

    def get_iteration(self, campaign: str, number: int) -> campaign_service_pb2.Iteration:
        """Return one iteration with its trials."""
        request = campaign_service_pb2.GetIterationRequest(
            name=f"{_name(campaign)}/iterations/{number}"
        )
        return self._repeat(self._campaigns.GetIteration, request)

    def list_artifacts(
        self, campaign: str, *, page_size: int = 0
    ) -> Iterator[campaign_service_pb2.Artifact]:
        """Yield the descriptions of all files of a campaign, page by page."""
        token = ""
        while True:
            page = self._repeat(
                self._campaigns.ListArtifacts,
                campaign_service_pb2.ListArtifactsRequest(
                    parent=_name(campaign), page_size=page_size, page_token=token
                ),
            )
            yield from page.artifacts
            if not (token := page.next_page_token):
                return

    def download_artifact(self, name: str) -> Iterator[bytes]:
        """Yield the content of a file, named ``campaigns/{campaign}/artifacts/{path}``.

        Raises:
            IntegrityError: The bytes are not those that were stored (raised at the end).
        """
        request = campaign_service_pb2.DownloadArtifactRequest(name=name)
        for piece in self._stream(self._campaigns.DownloadArtifact, request):
            yield piece.data

    def run_backtest(
        self, request: backtest_service_pb2.RunBacktestRequest
    ) -> Generator[backtest_service_pb2.RunBacktestResponse, None, None]:
        """Yield progress, then the result; closing the iterator early cancels the backtest."""
        return self._stream(self._backtests.RunBacktest, request)

    def list_datasets(self, *, page_size: int = 0) -> Iterator[backtest_service_pb2.Dataset]:
        """Yield all data sets, sorted by name, page by page."""
        token = ""
        while True:
            page = self._repeat(
                self._backtests.ListDatasets,
                backtest_service_pb2.ListDatasetsRequest(page_size=page_size, page_token=token),
            )
            yield from page.datasets
            if not (token := page.next_page_token):
                return

    def validate_strategy(
        self, source: str, *, smoke: strategy_service_pb2.SmokeRun | None = None
    ) -> strategy_service_pb2.ValidateStrategyResponse:
        """Screen source without running it, or, with ``smoke``, lastly in a short run."""
        request = strategy_service_pb2.ValidateStrategyRequest(source=source, smoke=smoke)
        if smoke is None:
            return self._repeat(self._strategies.ValidateStrategy, request)
        # The server may have to wait for a container first.
        return self._once(self._strategies.ValidateStrategy, request, _SMOKE_DEADLINE)

    def measure_sensitivity(
        self, request: strategy_service_pb2.MeasureSensitivityRequest
    ) -> strategy_service_pb2.Sensitivity:
        """Return what becomes of a strategy when its parameters are moved a little."""
        if request.campaign:
            request.campaign = _name(request.campaign)
        return self._once(self._strategies.MeasureSensitivity, request, _SENSITIVITY_DEADLINE)

    def _check_health(self, service: str, timeout: float) -> bool:
        request = health_pb2.HealthCheckRequest(service=service)
        check = self._health.Check  # type: ignore[attr-defined]  # missing in the stubs
        answer = self._once(check, request, timeout)
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    # Requests are Any below: a method's type ties its request to its answer, and only the
    # answer's type is of use to the callers.

    def _once(
        self,
        method: Callable[..., _Answer],
        request: Any,  # noqa: ANN401
        timeout: float | None = None,
    ) -> _Answer:
        deadline = time.monotonic() + (timeout or self._timeout)
        while True:
            seconds = max(deadline - time.monotonic(), 0.001)
            try:
                return method(request, timeout=seconds, metadata=self._metadata)
            except grpc.RpcError as error:
                typed = typed_error(error)
            # A call that came too soon was not begun, so any call may be repeated.
            pause = retry_seconds(typed)
            if pause is None or time.monotonic() + pause > deadline:
                raise typed
            time.sleep(pause)

    def _repeat(self, method: Callable[..., _Answer], request: Any) -> _Answer:  # noqa: ANN401
        for pause in _PAUSES:
            try:
                return self._once(method, request)
            except ServerUnreachableError:
                time.sleep(pause)
        return self._once(method, request)

    def _stream(self, method: Callable[..., Any], request: Any) -> Generator[Any, None, None]:  # noqa: ANN401
        call = method(request, metadata=self._metadata)
        try:
            yield from call
        except grpc.RpcError as error:
            raise typed_error(error) from None
        finally:
            call.cancel()


def _name(campaign: str) -> str:
    return campaign if campaign.startswith("campaigns/") else f"campaigns/{campaign}"
