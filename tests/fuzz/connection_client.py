"""Whatever a server sends, in any cut: the same events, no exception, at most one LinkClosed and nothing after."""

from __future__ import annotations

from functools import partial

from anyctrader.wire import Role

from .connection import check as check_role

check = partial(check_role, Role.CLIENT)
