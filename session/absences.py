"""Orders that the server has nothing of: looked for several times, over a span, before that counts. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .order_record import OrderRecord

__all__ = ["LOOKS", "Absences"]

LOOKS: Final = 3
"""How many looks must agree: the server's history lags, so one or two of them prove nothing."""


class Absences:
    """Counts the looks that found nothing.

    Args:
        over_s: the time that must lie between the first and the last of them.
    """

    def __init__(self, *, over_s: float) -> None:
        self._over_s = over_s
        self._severed: set[OrderRecord] = set()
        self._looks: dict[OrderRecord, tuple[float, int]] = {}  # the first, and how many

    def sever(self, records: Iterable[OrderRecord]) -> None:
        """The link that these left by is closed: nothing of them is still on its way. Only then do looks count."""
        self._severed.update(records)

    def found(self, record: OrderRecord) -> None:
        """A look found something that may be it: earlier ones that did not prove nothing."""
        self._looks.pop(record, None)

    def missed(self, record: OrderRecord, *, now_s: float) -> bool:
        """A look found nothing; whether that now is proof that it never arrived."""
        if record not in self._severed or record.order_id is not None:
            return False
        first_s, looks = self._looks.get(record, (now_s, 0))
        self._looks[record] = (first_s, looks + 1)
        return looks + 1 >= LOOKS and now_s - first_s >= self._over_s
