"""Whether a server's past is the one that the log has seen: the transactions before the stored position, once more.

A server that was restored from a copy of its files and written to since has the same name, timeline and slot, and its
WAL may have passed the log's position. Its slot stands where it stood in the copy, and what it sends from there is
another past.
"""

from __future__ import annotations

from dataclasses import dataclass

from stenograph.errors import SourceRewound
from stenograph.sources.postgres.lsn import lsn_text
from stenograph.sources.postgres.messages import Begin, Commit
from stenograph.sources.postgres.position import ResumePoint


@dataclass(slots=True)
class Continuity:
    """Holds the transactions from `start`, the slot's confirmed LSN, to the resume point against what it says of them.

    The last of them must be the one that the resume point names, to the byte and the microsecond. Where the slot
    stands at the resume point there is nothing to compare and nothing to fear: the copy held all that the log had
    seen.
    """

    start: int
    resume: ResumePoint
    _last: tuple[int, int] | None = None

    @property
    def is_trivial(self) -> bool:
        """Whether nothing lies in between."""
        return self.start >= self.resume.lsn

    def is_before(self, begin: Begin) -> bool:
        """Whether the transaction lies in between, so that the log holds it."""
        return begin.final_lsn < self.resume.lsn

    def passed(self, commit: Commit) -> None:
        """Note a transaction that lies in between."""
        self._last = commit.end_lsn, commit.committed_at

    def check(self) -> None:
        """Raise SourceRewound if they are not those that the log has seen; called when the last has passed."""
        resume = self.resume
        seen = None if resume.last_commit is None else (resume.last_commit, resume.last_committed_at)
        expected = seen if seen is not None and seen[0] > self.start else None
        # Invariant 8: what another past holds below the position would be skipped.
        if self._last != expected:
            raise SourceRewound(
                "The server's past is not the one that the log has seen: it was restored, and written to since.",
                hint="If history shall go on with this server, read its tables anew: `steno capture --anew`.",
                stored=lsn_text(resume.lsn),
                stored_commit=_shown(expected),
                server_commit=_shown(self._last),
            )


def _shown(commit: tuple[int, int] | None) -> str:
    return "none" if commit is None else lsn_text(commit[0])
