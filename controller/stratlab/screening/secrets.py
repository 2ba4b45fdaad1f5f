"""Layer 2, security: hard-coded secrets, as the library detect-secrets finds them."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from stratlab.domain.strategy import Finding
from stratlab.screening.rules import security as rules
from stratlab.screening.source import StrategySource

if TYPE_CHECKING:
    from detect_secrets.plugins.base import BasePlugin
    from detect_secrets.plugins.high_entropy_strings import HighEntropyStringsPlugin

_LEAST: Final = 12
"""Characters of a line that may hold a secret."""


_SHORTEST_RANDOM: Final = 20
"""Characters of a random text: shorter ones are words too often."""
_LINE: Final = re.compile(r"\r\n|\r|\n")
_MAY_HOLD: Final = re.compile(r"[\"'`]|-----|://")


def check(source: StrategySource) -> Iterator[Finding]:
    """Yield findings about lines that hold a key or a password."""
    named, random = _detectors()
    for number, line in enumerate(_LINE.split(source.text), 1):
        if len(line) < _LEAST or not _MAY_HOLD.search(line):
            continue
        kind = next((each.secret_type for each in named if any(each.analyze_string(line))), None)
        if kind is not None:
            yield rules.HARDCODED_SECRET.at_place(number, kind=kind)
        elif (
            kind := next((e.secret_type for e in random if _is_random(e, line)), None)
        ) is not None:
            yield rules.HIGH_ENTROPY.at_place(number, kind=kind)


def warm_up() -> None:
    """Load the library, which takes longer than a source."""
    _detectors()


def _is_random(detector: "HighEntropyStringsPlugin", line: str) -> bool:
    return any(
        len(text) >= _SHORTEST_RANDOM
        and detector.calculate_shannon_entropy(text) > detector.entropy_limit
        for text in detector.analyze_string(line)
    )


@lru_cache(maxsize=1)
def _detectors() -> "tuple[list[BasePlugin], list[HighEntropyStringsPlugin]]":
    # Imported here: the controller itself never screens, and starts without them.
    from detect_secrets.plugins import (  # noqa: PLC0415
        artifactory,
        aws,
        azure_storage_key,
        basic_auth,
        discord,
        github_token,
        gitlab_token,
        high_entropy_strings,
        jwt,
        keyword,
        mailchimp,
        npm,
        openai,
        private_key,
        pypi_token,
        sendgrid,
        slack,
        square_oauth,
        stripe,
        telegram_token,
        twilio,
    )

    named = [
        keyword.KeywordDetector(),
        private_key.PrivateKeyDetector(),
        basic_auth.BasicAuthDetector(),
        aws.AWSKeyDetector(),
        github_token.GitHubTokenDetector(),
        gitlab_token.GitLabTokenDetector(),
        openai.OpenAIDetector(),
        slack.SlackDetector(),
        stripe.StripeDetector(),
        jwt.JwtTokenDetector(),
        artifactory.ArtifactoryDetector(),
        azure_storage_key.AzureStorageKeyDetector(),
        discord.DiscordBotTokenDetector(),
        mailchimp.MailchimpDetector(),
        npm.NpmDetector(),
        pypi_token.PypiTokenDetector(),
        sendgrid.SendGridDetector(),
        square_oauth.SquareOAuthDetector(),
        telegram_token.TelegramBotTokenDetector(),
        twilio.TwilioKeyDetector(),
    ]
    random = [
        high_entropy_strings.Base64HighEntropyString(),
        high_entropy_strings.HexHighEntropyString(),
    ]
    return named, random
