"""The glossary can be searched by eye: sorted, each word once."""

from __future__ import annotations

from tests.documents import ROOT, rows


def entries() -> list[list[str]]:
    return rows((ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"))[1:]


def test_the_words_are_sorted() -> None:
    words = [word for word, _ in entries()]
    assert words == sorted(words, key=str.casefold)


def test_no_word_is_explained_twice() -> None:
    words = [word.strip().casefold() for cell, _ in entries() for word in cell.split(",")]
    assert sorted(words) == sorted(set(words))


def test_every_word_has_a_meaning() -> None:
    assert [word for word, meaning in entries() if not meaning] == []
