"""Who we are towards one environment."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .environments import Environment
from .errors import SettingsError
from .rules import check_fields, described, secret_word, whole, word
from .secret import Secret, covered

if TYPE_CHECKING:
    from .token_store import TokenPair

__all__ = ["Credentials"]

_REGISTER = "register an application for {environment} at https://openapi.ctrader.com/apps (docs/settings.md)"
_AUTHORISE = (
    "at https://openapi.ctrader.com/apps open the playground of the application that you registered for "
    '{environment}, choose "Get token", tick the {environment} account, and set this key to the access token '
    "(docs/settings.md)"
)
_NAME_THE_ACCOUNT = (
    "set it to the ctidTraderAccountId of the {environment} account, which the account list shows; "
    "it is not the trader login (docs/settings.md)"
)


@dataclass(frozen=True, slots=True, init=False)
class Credentials:
    """Who we are towards one environment. They carry it, and `connect` refuses those of the other.

    The secrets may be given as `str`; they are held as `Secret` and are not in the `repr`.

    Attributes:
        never_sent: what is covered like their secrets and does not identify anybody to a server: see `beside`.

    Raises:
        SettingsError: a field breaks its rule.
    """

    environment: Environment
    client_id: str = field(
        metadata=described(
            word(),
            "client id of the application",
            key="APPLICATION_ID",
            required=True,
            advice=_REGISTER + " and set this key to its client id",
            reason="one application for each environment: a second consent kills the first refresh token",
        )
    )
    client_secret: Secret = field(
        repr=False,
        metadata=described(
            secret_word(),
            "client secret of the application",
            key="APPLICATION_SECRET",
            required=True,
            advice=_REGISTER + " and set this key to its client secret",
            reason="secret: never shown, logged or put into an error",
        ),
    )
    access_token: Secret = field(
        repr=False,
        metadata=described(
            secret_word(),
            "access token of the account",
            required=True,
            advice=_AUTHORISE,
            reason="secret; valid for about 30 days",
        ),
    )
    refresh_token: Secret | None = field(
        default=None,
        repr=False,
        metadata=described(
            secret_word(),
            "refresh token that came with the access token",
            default="none",
            reason="secret; valid until it is used or the account is authorised again",
        ),
    )
    account_id: int | None = field(
        default=None,
        metadata=described(
            whole(1, 2**63 - 1),
            "`ctidTraderAccountId` of the one account to trade; not the trader login",
            required=True,
            advice=_NAME_THE_ACCOUNT,
            reason="the desk trades no other account, however many the token covers",
        ),
    )

    never_sent: tuple[Secret, ...] = field(default=(), init=False, repr=False, compare=False)

    def __init__(
        self,
        environment: Environment,
        *,
        client_id: str,
        client_secret: Secret | str,
        access_token: Secret | str,
        refresh_token: Secret | str | None = None,
        account_id: int | None = None,
    ) -> None:
        _set(
            self,
            environment=environment,
            client_id=client_id,
            client_secret=_secret(client_secret),
            access_token=_secret(access_token),
            refresh_token=_secret(refresh_token),
            account_id=account_id,
            never_sent=(),
        )
        if not isinstance(environment, Environment):
            raise SettingsError(["environment must be an Environment"])
        check_fields(self)

    def with_tokens(self, pair: TokenPair) -> Credentials:
        """The same with another pair of tokens."""
        return Credentials(
            self.environment,
            client_id=self.client_id,
            client_secret=self.client_secret,
            access_token=pair.access_token,
            refresh_token=pair.refresh_token,
            account_id=self.account_id,
        ).beside(*self.never_sent)

    def beside(self, *others: Secret) -> Credentials:
        """The same, which also cover these: a password that is in the settings and never sent."""
        copied = copy(self)
        _set(copied, never_sent=others)
        return copied

    @property
    def sent(self) -> tuple[Secret, ...]:
        """Their secrets that go to the server."""
        secrets = (self.client_secret, self.access_token, self.refresh_token)
        return tuple(secret for secret in secrets if secret is not None)

    def holds(self, text: str) -> bool:
        """Whether a text is one of their secrets that a server may be told: a password is none."""
        return Secret(text) in self.sent

    def masked(self, text: str) -> str:
        """A text of somebody else's, a server's for one, with every secret of these credentials in it covered."""
        return covered(text, (*self.sent, *self.never_sent))


def _secret(text: object) -> object:
    """A text as a secret; anything else as it is, for the rule to refuse."""
    return Secret(text) if isinstance(text, str) else text


def _set(frozen: object, **values: object) -> None:
    for name, value in values.items():
        object.__setattr__(frozen, name, value)
