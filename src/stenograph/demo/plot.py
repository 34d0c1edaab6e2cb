"""What must happen in the CRM's day, and when: the life of one lead, and two columns that are added.

Everything else in the day is chance, and keeps its hands off this lead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stenograph.demo.crm import Crm, Cursor, Outcome
from stenograph.demo.journal import Change

LEAD = 42
"""The lead whose life the demo shows; chance never picks it, because it is not among the living rows."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One act that happens when this share of the day is over, from 0 to 1."""

    at: float
    act: Callable[[Cursor], Outcome]
    said: str = ""
    """What a person who watches hears once it is committed or rolled back; nothing where it is empty."""


def scenes(crm: Crm) -> Sequence[Scene]:
    """The plot, in order."""
    return (
        Scene(0.00, _arrives),
        Scene(0.12, _updates("status = 'contacted', phone = '+44 20 7946 0042'")),
        # Capture is dead about now.
        Scene(0.29, _updates("status = 'qualified', score = 87, amount = 18500")),
        Scene(0.40, crm.add_deal_column, "The CRM gets a column that nobody told us of: deal.discount."),
        Scene(0.45, crm.add_lead_column, "And one that the model of a lead does not know: lead.campaign."),
        # The sink is dead about now.
        Scene(0.54, _updates("owner_id = 7")),
        Scene(0.65, _is_lost_by_mistake),
        # Both are dead about now.
        Scene(0.79, _updates("status = 'won', is_customer = true, amount = 21000")),
    )


def _arrives(cursor: Cursor) -> Outcome:
    outcome = Outcome()
    cursor.execute(
        "INSERT INTO lead (id, email, first_name, last_name, company, score, owner_id, source) "
        "VALUES (%s, 'grace@navy.example', 'Grace', 'Hopper', 'Compilers & Sons', 40, 3, 'referral')",
        [LEAD],
    )
    outcome.count("lead", Change.CREATE, cursor.rowcount)
    return outcome


def _updates(assignments: str) -> Callable[[Cursor], Outcome]:
    def act(cursor: Cursor) -> Outcome:
        outcome = Outcome()
        cursor.execute(f"UPDATE lead SET {assignments}, updated_at = now() WHERE id = {LEAD}")  # noqa: S608
        outcome.count("lead", Change.UPDATE, cursor.rowcount)
        return outcome

    return act


def _is_lost_by_mistake(cursor: Cursor) -> Outcome:
    outcome = _updates("status = 'lost'")(cursor)
    outcome.is_mistake = True
    return outcome
