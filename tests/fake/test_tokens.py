"""Applications and tokens: docs/protocol.md sections 6 and 19."""

from __future__ import annotations

import pytest

from anyctrader.fake import Directory, Grant, TokenPolicy, TokenScope
from anyctrader.fake.tokens import Ended, OldAccess, SecondConsent, TokenFault, TokenRefused

NOW = 1_700_000_000_000
URI = "http://127.0.0.1/back"


class Register:
    """A directory with an application, and what its watchers heard."""

    def __init__(self, policy: TokenPolicy | None = None, seed: str = "") -> None:
        self.directory = Directory(seed=seed, policy=policy)
        self.client_id = self.directory.add_application().client_id
        self.heard: list[tuple[Grant, Ended]] = []
        self.directory.watch(lambda grant, ended: self.heard.append((grant, ended)))

    def consent(self, user_id: int = 1) -> Grant:
        return self.directory.consent(self.client_id, user_id, account_ids=[7], scope=TokenScope.TRADE, now_ms=NOW)

    def code(self) -> str:
        return self.directory.authorisation_code(
            self.client_id, 1, account_ids=[7], scope=TokenScope.VIEW, redirect_uri=URI, now_ms=NOW
        )

    def fault_of(self, access_token: str, now_ms: int = NOW) -> TokenFault | None:
        try:
            self.directory.grant_of(access_token, now_ms=now_ms)
        except TokenRefused as refused:
            return refused.fault
        return None


def test_the_same_seed_makes_up_the_same_secrets_and_another_seed_others() -> None:
    one, same, other = (Register(seed=seed) for seed in ("a", "a", "b"))
    assert one.client_id == same.client_id
    assert one.consent() == same.consent()
    assert one.client_id != other.client_id
    assert one.consent().access_token != other.consent().access_token


def test_nothing_secret_is_in_a_text_of_a_grant_or_an_application() -> None:
    register = Register()
    grant, application = register.consent(), register.directory.applications[register.client_id]
    assert grant.access_token not in repr(grant)
    assert grant.refresh_token not in repr(grant)
    assert application.client_secret not in repr(application)


def test_an_access_token_lives_for_its_time_and_is_then_known_as_expired() -> None:
    register = Register()
    token = register.consent().access_token
    end_ms = NOW + 2_628_000_000
    assert register.fault_of(token, end_ms - 1) is None
    assert register.fault_of(token, end_ms) is TokenFault.EXPIRED
    assert register.fault_of("never seen") is TokenFault.UNKNOWN


def test_a_refresh_token_is_good_once_whenever_it_is_used() -> None:
    register = Register()
    first = register.consent()
    much_later_ms = NOW + 10 * 2_628_000_000
    old, new = register.directory.refresh(first.refresh_token, now_ms=much_later_ms)
    assert old == first
    assert (new.account_ids, new.scope, new.user_id) == (old.account_ids, old.scope, old.user_id)
    with pytest.raises(TokenRefused) as refused:
        register.directory.refresh(first.refresh_token, now_ms=NOW)
    assert refused.value.fault is TokenFault.USED


@pytest.mark.parametrize(("policy", "fault"), [(OldAccess.DEAD, TokenFault.REVOKED), (OldAccess.ALIVE, None)])
def test_the_old_access_token_after_a_refresh(policy: OldAccess, fault: TokenFault | None) -> None:
    register = Register(TokenPolicy(old_access=policy))
    first = register.consent()
    old, new = register.directory.refresh(first.refresh_token, now_ms=NOW)
    assert register.fault_of(first.access_token) is None  # until it is retired
    register.directory.retire(old)
    assert register.fault_of(first.access_token) is fault
    assert register.fault_of(new.access_token) is None
    assert register.heard == [(first, Ended.REFRESHED)]


def test_another_applications_refresh_token_is_refused() -> None:
    register = Register()
    with pytest.raises(TokenRefused, match="other application"):
        register.directory.refresh(register.consent().refresh_token, now_ms=NOW, client_id="another")


@pytest.mark.parametrize("policy", list(SecondConsent))
def test_a_second_consent_of_the_same_user_ends_the_first_pair_or_not(policy: SecondConsent) -> None:
    register = Register(TokenPolicy(second_consent=policy))
    first, stranger = register.consent(), register.consent(user_id=2)
    register.consent()
    ended = policy is SecondConsent.REVOKES_FIRST
    assert (register.fault_of(first.access_token) is TokenFault.REVOKED) is ended
    assert register.heard == ([(first, Ended.REVOKED)] if ended else [])
    assert register.fault_of(stranger.access_token) is None
    if ended:
        with pytest.raises(TokenRefused, match="revoked"):
            register.directory.refresh(first.refresh_token, now_ms=NOW)


def test_a_revoked_pair_is_told_of_once() -> None:
    register = Register()
    grant = register.consent()
    register.directory.revoke(grant, Ended.DELETED)
    register.directory.revoke(grant, Ended.DELETED)
    assert register.heard == [(grant, Ended.DELETED)]


def test_who_no_longer_watches_hears_nothing() -> None:
    register = Register()
    heard: list[Grant] = []
    stop = register.directory.watch(lambda grant, _: heard.append(grant))
    stop()
    register.directory.revoke(register.consent(), Ended.REVOKED)
    assert heard == []


def test_a_code_is_redeemed_once() -> None:
    register = Register()
    code = register.code()
    grant = register.directory.redeem(code, client_id=register.client_id, redirect_uri=URI, now_ms=NOW + 59_999)
    assert (grant.scope, grant.account_ids) == (TokenScope.VIEW, (7,))
    with pytest.raises(TokenRefused, match="unknown"):
        register.directory.redeem(code, client_id=register.client_id, redirect_uri=URI, now_ms=NOW)


@pytest.mark.parametrize(
    ("client_id", "uri", "after_ms", "fault"),
    [
        (None, URI, 60_000, TokenFault.EXPIRED),
        (None, "http://127.0.0.1/elsewhere", 0, TokenFault.OTHER_APPLICATION),
        ("another", URI, 0, TokenFault.OTHER_APPLICATION),
    ],
)
def test_a_code_is_refused_too_late_or_from_elsewhere(
    client_id: str | None, uri: str, after_ms: int, fault: TokenFault
) -> None:
    register = Register()
    with pytest.raises(TokenRefused) as refused:
        register.directory.redeem(
            register.code(), client_id=client_id or register.client_id, redirect_uri=uri, now_ms=NOW + after_ms
        )
    assert refused.value.fault is fault


def test_a_storm_of_refreshes_leaves_a_bounded_memory() -> None:
    register = Register(TokenPolicy(life_s=1))
    token = register.consent().refresh_token
    for turn in range(3_000):
        old, new = register.directory.refresh(token, now_ms=NOW + turn)
        register.directory.retire(old)
        token = new.refresh_token
    assert len(register.directory.grants) == 1
    assert len(register.directory._dead) <= 1_000
