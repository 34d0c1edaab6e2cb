"""What the headers of a batch say, read once for each different set of them.

Judges nothing: headers that say something unusual are left to the reference.
"""

from __future__ import annotations

from dataclasses import dataclass

from stenograph.envelope.headers import BEFORE, NEW_KEY, OLD_KEY, TEXT, UNCHANGED, json_of
from stenograph.ports import Headers


@dataclass(frozen=True, slots=True)
class HeaderFacts:
    """One set of headers: columns that were not sent, the other key of a key change.

    `is_plain` is false where only the reference can say what the record means.
    """

    is_plain: bool = True
    before_is_full: bool = False
    unchanged: tuple[str, ...] = ()
    related_key: tuple[tuple[str, object], ...] | None = None


_NOT_PLAIN = HeaderFacts(is_plain=False)


def facts_of(headers: Headers) -> HeaderFacts:
    """What the headers say; never raises."""
    if not headers:
        return HeaderFacts()
    known = dict(headers)
    if TEXT in known:
        return _NOT_PLAIN
    try:
        unchanged = json_of(known.get(UNCHANGED, b"[]"))
        keys = [json_of(known[name]) for name in (NEW_KEY, OLD_KEY) if name in known][:1]
    except (ValueError, RecursionError):
        return _NOT_PLAIN
    if not isinstance(unchanged, list) or not all(isinstance(name, str) for name in unchanged):
        return _NOT_PLAIN
    if not all(isinstance(key, dict) for key in keys):
        return _NOT_PLAIN
    return HeaderFacts(
        before_is_full=known.get(BEFORE) == b"full",
        unchanged=tuple(unchanged),
        related_key=tuple(keys[0].items()) if keys else None,
    )
