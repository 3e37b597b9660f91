"""From a client's frames to what the server does about them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ..wire import ConnectionState, FrameTooLarge, Message, RemoteProtocolError, UnknownPayload
from ..wire import messages as oa
from ..wire.catalog import CATALOG, Kind, Permission, account_of, entry_of
from ..wire.events import Event, HeartbeatReceived, LinkClosed, RequestReceived, UndecodedReceived
from .choices import Breach, EarlyRequest, Oversize, ViewOnlyOrder
from .clients import Frame, Origin
from .injection import OutgoingFrame, Transport
from .observations import UNDECODED
from .pushes import Push
from .refused import NOT_AUTHORIZED, Blame, Carried, Refused
from .sessions import SessionRequests

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .clients import AccountSession, Client
    from .subscriptions import Subscriptions
    from .switchboard import Switchboard

__all__ = ["Answers"]

_APP_AUTH = oa.ProtoOAApplicationAuthReq
_EARLY = (oa.ProtoOAVersionReq, oa.ProtoOARefreshTokenReq, _APP_AUTH)


class Answers:
    """Takes what clients say, in order, and answers each request after the time that an answer takes.

    Args:
        board: the server's state.
    """

    def __init__(self, board: Switchboard) -> None:
        self._board = board
        self._settings = board.settings
        self.sessions = SessionRequests(board)
        self._of_sessions: Mapping[type[Any], Callable[[Client, Any, str | None], None]] = {
            oa.ProtoOAVersionReq: self.sessions.version,
            oa.ProtoOAApplicationAuthReq: self.sessions.application_auth,
            oa.ProtoOAAccountAuthReq: self.sessions.account_auth,
            oa.ProtoOAGetAccountListByAccessTokenReq: self.sessions.account_list,
            oa.ProtoOAGetCtidProfileByTokenReq: self.sessions.profile,
            oa.ProtoOARefreshTokenReq: self.sessions.refresh,
            oa.ProtoOAAccountLogoutReq: self.sessions.logout,
        }
        exchange, variants = board.exchange, board.settings.variants
        self._of_subscriptions: Mapping[type[Any], Callable[[Subscriptions, Any], list[Any]]] = {
            oa.ProtoOASubscribeSpotsReq: lambda held, request: held.subscribe_spots(request, exchange, variants),
            oa.ProtoOAUnsubscribeSpotsReq: lambda held, request: held.unsubscribe_spots(request),
            oa.ProtoOASubscribeLiveTrendbarReq: lambda held, request: held.subscribe_bars(request, exchange, variants),
            oa.ProtoOAUnsubscribeLiveTrendbarReq: lambda held, request: held.unsubscribe_bars(request),
            oa.ProtoOASubscribeDepthQuotesReq: lambda held, request: held.subscribe_depth(request, exchange, variants),
            oa.ProtoOAUnsubscribeDepthQuotesReq: lambda held, request: held.unsubscribe_depth(request),
        }

    # As it arrives

    def take(self, client: Client, event: Event) -> None:
        """Whatever a client said. What it asked for is judged now and done when an answer is due."""
        now_s = self._board.agenda.now_s()
        match event:
            case HeartbeatReceived():
                message = Message(oa.ProtoHeartbeatEvent())
                if self._hear(client, message, now_s):
                    client.rates.admit_heartbeat(now_s=now_s)
            case RequestReceived(message=message):
                if self._hear(client, message, now_s):
                    verdict = self._judge(client, event, now_s)
                    self._later(lambda: self._answer(client, message, verdict))
            case UndecodedReceived():
                message = Message(UnknownPayload(event.payload_type), event.client_msg_id)
                if self._hear(client, message, now_s, name=UNDECODED, text=f"{message.name}: {event.reason}"):
                    refused = _undecoded(event)
                    self._later(lambda: self._answer(client, message, refused))
            case LinkClosed(error=RemoteProtocolError() as error):
                self._broken(client, error)
            case LinkClosed():
                client.close(event.reason)

    def _hear(self, client: Client, message: Message, now_s: float, *, name: str = "", text: str = "") -> bool:
        """Records a message; False where a fault keeps it from being noticed."""
        name = name or message.name
        heard = self._board.faults.hears(client.number, name)
        if heard:
            client.heard_s = now_s
        client.frames.append(Frame(False, self._board.agenda.now_ms(), name, message.client_msg_id, 0))
        self._board.observe(client, name, message=message, text=text)
        return heard

    def _judge(self, client: Client, event: RequestReceived, now_s: float) -> Refused | None:
        """What can be said of a request before it is done: rates, application, account."""
        message = event.message
        request = message.payload
        retry_after_s = client.rates.admit(message.payload_type, now_s=now_s)
        if retry_after_s is not None:
            return self._breach(client, message, retry_after_s, now_s=now_s)
        if event.misplaced is None:
            return None
        if isinstance(request, _APP_AUTH):
            if client.connection.state is ConnectionState.READY:
                return None  # that it is the second is for its own answer to say
            return Refused("CH_CLIENT_ALREADY_AUTHENTICATED", "Application is being authorized")
        if client.connection.state is not ConnectionState.READY:
            if isinstance(request, _EARLY):
                return None
            early = self._settings.variants.early_request
            closes = early is EarlyRequest.CLOSE
            code = EarlyRequest.NOT_AUTHENTICATED.value if closes else early.value
            return Refused(code, "Client is not authenticated", closes=closes)
        account_id = account_of(request)
        if account_id is not None and client.session(account_id) is None:
            return Refused("INVALID_REQUEST", NOT_AUTHORIZED)
        return None

    def _breach(self, client: Client, message: Message, retry_after_s: int, *, now_s: float) -> Refused:
        """Section 5: a request too many."""
        limits = self._settings.limits
        closes = limits.breaches_before_close is not None and client.rates.breaches >= limits.breaches_before_close
        if limits.breach is Breach.FREQUENCY:
            return Refused(
                "REQUEST_FREQUENCY_EXCEEDED",
                "You have reached the rate limit of requests",
                account_id=0,
                closes=closes,
            )
        client.rates.lock(message.payload_type, until_s=now_s + retry_after_s)
        return Refused(
            "BLOCKED_PAYLOAD_TYPE",
            f"{message.name} is blocked for {retry_after_s} s",
            retry_after_s=retry_after_s,
            closes=closes,
        )

    def _broken(self, client: Client, error: RemoteProtocolError) -> None:
        """The stream cannot be read any further (docs/protocol.md sections 3 and 19).

        What breaks the WebSocket itself is no malformed JSON: its close frame names it.
        """
        self._board.blame(client, "INVALID_REQUEST", f"broken stream: {error}")
        self._board.observe(client, UNDECODED, text=str(error))
        last_word = None
        if isinstance(error, FrameTooLarge):
            if self._settings.limits.oversize is Oversize.ERROR_THEN_CLOSE:
                last_word = Refused("FRAME_TOO_LONG", f"Frame of {error.size} bytes is too long")
        elif client.codec.name == "json" and not (client.transport is Transport.WEBSOCKET and client.framing.broken):
            at = re.search(r"at byte (\d+)", str(error))
            last_word = Refused(
                "INVALID_REQUEST", f"Malformed JSON message at 1:{int(at.group(1)) + 1 if at is not None else 1}"
            )
        if last_word is not None:
            payload = last_word.message(None)
            self._board.put(client, OutgoingFrame(client.number, payload, None, client.encode_last_word(payload)))
        client.close(str(error))

    def _later(self, do: Callable[[], None]) -> None:
        """Does it when an answer is due; what came first is done first."""
        delay_s = self._settings.timing.answer_s
        if delay_s == 0:
            do()
        else:
            self._board.agenda.call_after(delay_s, do)

    # When an answer is due

    def _answer(self, client: Client, message: Message, verdict: Refused | None) -> None:
        if client.closing is not None:
            return
        account_id = account_of(message.payload)
        try:
            if verdict is not None:
                raise verdict
            self._board.faults.admit(client.number, message.payload_type)
            self._do(client, message)
        except Refused as refused:
            self._board.refuse(client, refused, account_id=account_id, client_msg_id=message.client_msg_id)
        except Exception as error:
            # Whatever a client sends, the server stays; the failure is raised when it ends.
            self._board.failed(error)
            sorry = Refused("UNKNOWN_ERROR", "Unknown error", blame=Blame.SERVER)
            self._board.refuse(client, sorry, account_id=account_id, client_msg_id=message.client_msg_id)

    def _do(self, client: Client, message: Message) -> None:
        request = message.payload
        of_session = self._of_sessions.get(type(request))
        if of_session is not None:
            of_session(client, request, message.client_msg_id)
            return
        if isinstance(request, UnknownPayload):
            raise Refused("UNSUPPORTED_MESSAGE", f"Message with payload type {request.payload_type} is not supported")
        session = client.session(request.ctidTraderAccountId)
        if session is None:
            raise Refused("INVALID_REQUEST", NOT_AUTHORIZED)
        self._check_lists(request)
        of_subscription = self._of_subscriptions.get(type(request))
        if of_subscription is not None:
            for payload in of_subscription(session.subscriptions, request):
                is_answer = CATALOG[oa.payload_type_of(payload)].kind is Kind.RESPONSE
                self._board.send(client, payload, message.client_msg_id if is_answer else None)
            return
        self._check_scope(session, message)
        self._trade(client, message)

    def _check_lists(self, request: Any) -> None:
        """What one request may cost is bounded: everybody waits while it is done."""
        most = self._settings.limits.list_entries
        for field, value in request.ListFields():
            if field.type != field.TYPE_STRING and hasattr(value, "extend") and len(value) > most:
                raise Refused("INVALID_REQUEST", f"{field.name} has {len(value)} entries. At most {most} are allowed")

    def _check_scope(self, session: AccountSession, message: Message) -> None:
        """A token with view scope reads only."""
        entry = entry_of(message.payload_type)
        reads = entry is not None and entry.permission in (Permission.READ, Permission.SESSION)
        if reads or session.grant.scope.may_trade:
            return
        if self._settings.variants.view_only_order is ViewOnlyOrder.NOT_AUTHORIZED:
            raise Refused("INVALID_REQUEST", NOT_AUTHORIZED)
        raise Refused(
            "TRADING_NOT_ALLOWED", "Trading is not allowed with this access token", carried=Carried.ORDER_ERROR
        )

    def _trade(self, client: Client, message: Message) -> None:
        """Everything else is for the exchange."""
        board = self._board
        origin = Origin(client, message.client_msg_id)
        happened = board.exchange.handle(
            message.payload.ctidTraderAccountId, message.payload, now_ms=board.agenda.now_ms(), origin=origin
        )
        board.deliver(happened)
        board.drive()
        if not any(isinstance(item, Push) and item.first and item.origin is origin for item in happened):
            raise RuntimeError(f"the exchange has not answered {message.name}")


def _undecoded(event: UndecodedReceived) -> Refused:
    """Section 3: a message that cannot be read; the name in the text is that of the message due."""
    cls = oa.class_of(event.payload_type)
    _, lacks, names = event.reason.partition("lacks required fields: ")
    if lacks:
        return Refused("INVALID_REQUEST", f"Message missing required fields: {names}")
    if cls is not None and not cls.__name__.endswith("Req"):
        return Refused("UNSUPPORTED_MESSAGE", f"{cls.__name__} is nothing that a client says")
    return Refused("INVALID_REQUEST", f"Invalid message: {event.reason[:200]}")
