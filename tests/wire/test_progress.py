from __future__ import annotations

from anyctrader.wire.progress import PROGRESS_SIZE, Progress


def test_a_whole_message_is_a_sign_of_life_and_a_few_bytes_are_none() -> None:
    progress = Progress()
    assert not progress.is_made(PROGRESS_SIZE - 1, whole=False)
    assert progress.is_made(0, whole=True)
    assert not progress.is_made(0, whole=False)


def test_a_long_message_counts_each_time_that_it_has_grown_by_a_step() -> None:
    progress = Progress()
    sizes = range(0, 3 * PROGRESS_SIZE + 1, PROGRESS_SIZE // 4)
    assert [size // (PROGRESS_SIZE // 4) for size in sizes if progress.is_made(size, whole=False)] == [4, 8, 12]


def test_what_counted_of_one_message_does_not_count_against_the_next() -> None:
    progress = Progress()
    assert progress.is_made(2 * PROGRESS_SIZE, whole=False)
    assert progress.is_made(10, whole=True)
    assert not progress.is_made(PROGRESS_SIZE + 9, whole=False)
    assert progress.is_made(PROGRESS_SIZE + 10, whole=False)
