"""Frames come in their order, also those that were put back."""

from __future__ import annotations

from stenograph.sources.postgres.incoming import Incoming


def incoming(*frames: bytes) -> Incoming:
    waiting = list(frames)

    def receive(most: int) -> list[bytes]:
        found, waiting[:most] = waiting[:most], []
        return found

    return Incoming(receive, lambda _: None)


def drained(of: Incoming) -> list[bytes]:
    found = []
    while (frame := of.next()) is not None:
        found.append(frame)
    return found


def test_frames_come_one_by_one_or_several_at_once() -> None:
    of = incoming(b"1", b"2", b"3", b"4", b"5")
    assert of.next() == b"1"
    assert of.some(2) == [b"2", b"3"]
    assert drained(of) == [b"4", b"5"]
    assert of.next() is None
    assert of.some(9) == []


def test_what_was_put_back_comes_first_and_in_its_order() -> None:
    of = incoming(b"1", b"2", b"3", b"4", b"5")
    of.put_back(of.some(4)[1:])
    of.put_back([b"0"])
    assert of.some(3) == [b"0", b"2", b"3"]
    of.put_back([b"2", b"3"])
    assert drained(of) == [b"2", b"3", b"4", b"5"]
