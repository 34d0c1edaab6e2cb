"""What every keeper of read requests promises."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stenograph.errors import LogRefused
from stenograph.events import TableId
from stenograph.logs.embedded.requests import FolderRequests
from stenograph.ports import ReadRequest, ReadRequests
from tests.capturing import ListRequests

LEAD, DEAL = TableId("public", "lead"), TableId("odd name", "déal/..\\")
Open = Callable[[], ReadRequests]
"""Each call is what another process would open."""


@pytest.fixture(params=["folder", "list"])
def open_requests(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    if request.param == "folder":
        return lambda: FolderRequests(tmp_path / "not" / "yet")
    kept = ListRequests()
    return lambda: kept


def test_nobody_has_asked_for_anything_at_first(open_requests: Open) -> None:
    assert list(open_requests().pending()) == []


def test_a_request_is_seen_by_others_until_it_is_forgotten(open_requests: Open) -> None:
    first, second, third = ReadRequest(LEAD, 7), ReadRequest(DEAL, 7), ReadRequest(LEAD, 10)
    for request in (first, second, third):
        open_requests().ask(request)
    assert sorted(open_requests().pending()) == sorted([first, second, third])
    assert [request.id for request in open_requests().pending()] == [7, 7, 10]
    open_requests().forget(first)
    assert list(open_requests().pending()) == [second, third]


def test_forgetting_what_is_gone_is_no_error(open_requests: Open) -> None:
    request = ReadRequest(LEAD, 7)
    open_requests().ask(request)
    open_requests().forget(request)
    open_requests().forget(request)
    assert list(open_requests().pending()) == []


def test_a_file_that_is_no_request_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "1-x.json").write_text("{}")
    with pytest.raises(LogRefused, match="not the request") as refusal:
        FolderRequests(tmp_path).pending()
    assert refusal.value.facts["path"] == tmp_path / "1-x.json"


def test_a_draft_of_a_process_that_died_is_no_request(tmp_path: Path) -> None:
    (tmp_path / "1-x.4711").write_text('{"sch')
    assert FolderRequests(tmp_path).pending() == []
