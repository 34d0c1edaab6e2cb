"""What the people of a small CRM do in a day, each act inside a transaction that its caller commits.

Counts what Postgres says it changed, and remembers which rows live only once told that an act was committed.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from stenograph.demo.journal import Change, Kind

Cursor = psycopg.Cursor[tuple[int, ...]]

_STATUSES = ("new", "contacted", "qualified", "won", "lost")
_OWNERS = 12

_INSERT_LEADS = """
    INSERT INTO lead (email, first_name, last_name, company, score, owner_id, source)
    SELECT 'new' || n || '@example.org', 'Alan', 'Number ' || n, 'Company ' || n %% 700, n, %s, 'web'
    FROM generate_series(1, %s) AS n RETURNING id
"""
_INSERT_LEADS_OF_A_CAMPAIGN = """
    INSERT INTO lead (email, first_name, last_name, company, score, owner_id, source, campaign)
    SELECT 'new' || n || '@example.org', 'Alan', 'Number ' || n, 'Company ' || n %% 700, n, %s, 'web', 'spring'
    FROM generate_series(1, %s) AS n RETURNING id
"""
_MOVE_DEAL = "UPDATE deal SET stage = %s, updated_at = now() WHERE id = ANY(%s)"
_MOVE_DEAL_AT_A_DISCOUNT = "UPDATE deal SET stage = %s, discount = 2.5, updated_at = now() WHERE id = ANY(%s)"


@dataclass(slots=True)
class Outcome:
    """What an act did: changes by kind, and the rows that came and went, by table."""

    changes: Counter[Kind] = field(default_factory=Counter)
    born: list[tuple[str, int]] = field(default_factory=list)
    gone: list[tuple[str, int]] = field(default_factory=list)
    is_mistake: bool = False
    """Whoever did it takes it back: the transaction is rolled back."""

    def count(self, table: str, change: Change, rows: int) -> None:
        """Add changes."""
        self.changes[Kind(table, change)] += rows


class Living:
    """The ids of a table's rows; picks and removes in constant time."""

    def __init__(self, ids: Sequence[int]) -> None:
        self._ids = list(ids)
        self._place = {number: place for place, number in enumerate(self._ids)}

    def __len__(self) -> int:
        return len(self._ids)

    def pick(self, dice: random.Random, most: int = 1) -> list[int]:
        """Up to `most` different ids."""
        return dice.sample(self._ids, min(most, len(self._ids)))

    def add(self, number: int) -> None:
        """A row came."""
        self._place[number] = len(self._ids)
        self._ids.append(number)

    def remove(self, number: int) -> None:
        """A row went."""
        place, last = self._place.pop(number), self._ids.pop()
        if last != number:
            self._ids[place], self._place[last] = last, place


class Crm:
    """The acts, and the rows they choose from. `dice` makes two runs alike."""

    def __init__(self, cursor: Cursor, dice: random.Random) -> None:
        self._dice = dice
        self._living = {table: Living(_ids(cursor, table)) for table in ("lead", "contact", "deal")}
        self._has_discount = False
        self._has_campaign = False
        self._acts: dict[Callable[[Cursor, Outcome], None], int] = {
            self._status_changes: 34,
            self._lead_arrives: 16,
            self._deal_moves: 14,
            self._contact_is_edited: 12,
            self._lead_converts: 6,
            self._leads_change_owner: 4,
            self._row_is_deleted: 5,
            self._lead_gets_another_id: 3,
            self._leads_are_imported: 2,
            self._mistake: 4,
        }

    def act(self, cursor: Cursor) -> Outcome:
        """Do one thing."""
        outcome = Outcome()
        chosen = self._dice.choices(list(self._acts), list(self._acts.values()))[0]
        chosen(cursor, outcome)
        return outcome

    def settle(self, outcome: Outcome) -> None:
        """Hear that an act was committed."""
        for table, number in outcome.gone:
            self._living[table].remove(number)
        for table, number in outcome.born:
            self._living[table].add(number)

    def add_deal_column(self, cursor: Cursor) -> Outcome:
        """A column appears in a table that keeps its own shape."""
        cursor.execute("ALTER TABLE deal ADD COLUMN discount numeric(5, 2)")
        self._has_discount = True
        return Outcome()

    def add_lead_column(self, cursor: Cursor) -> Outcome:
        """A column appears in a table whose model does not know it."""
        cursor.execute("ALTER TABLE lead ADD COLUMN campaign text")
        self._has_campaign = True
        return Outcome()

    def _lead_arrives(self, cursor: Cursor, outcome: Outcome) -> None:
        self._insert_leads(cursor, outcome, 1)

    def _leads_are_imported(self, cursor: Cursor, outcome: Outcome) -> None:
        self._insert_leads(cursor, outcome, self._dice.randint(5, 25))

    def _insert_leads(self, cursor: Cursor, outcome: Outcome, count: int) -> None:
        statement = _INSERT_LEADS_OF_A_CAMPAIGN if self._has_campaign else _INSERT_LEADS
        cursor.execute(statement, [self._dice.randint(1, _OWNERS), count])
        self._came(cursor, outcome, "lead")

    def _status_changes(self, cursor: Cursor, outcome: Outcome) -> None:
        cursor.execute(
            "UPDATE lead SET status = %s, score = %s, updated_at = now() WHERE id = ANY(%s)",
            [
                self._dice.choice(_STATUSES),
                self._dice.randint(0, 100),
                self._living["lead"].pick(self._dice),
            ],
        )
        outcome.count("lead", Change.UPDATE, cursor.rowcount)

    def _leads_change_owner(self, cursor: Cursor, outcome: Outcome) -> None:
        cursor.execute(
            "UPDATE lead SET owner_id = %s, updated_at = now() WHERE id = ANY(%s)",
            [self._dice.randint(1, _OWNERS), self._living["lead"].pick(self._dice, 10)],
        )
        outcome.count("lead", Change.UPDATE, cursor.rowcount)

    def _lead_converts(self, cursor: Cursor, outcome: Outcome) -> None:
        for lead in self._living["lead"].pick(self._dice):
            cursor.execute(
                "UPDATE lead SET status = 'won', is_customer = true, amount = %s, updated_at = now() WHERE id = %s",
                [self._dice.randint(1, 900) * 100, lead],
            )
            outcome.count("lead", Change.UPDATE, cursor.rowcount)
            cursor.execute(
                "INSERT INTO contact (email, first_name, last_name, title, lead_id, owner_id) "
                "SELECT email, first_name, last_name, 'Buyer', id, owner_id FROM lead WHERE id = %s RETURNING id",
                [lead],
            )
            self._came(cursor, outcome, "contact")
            cursor.execute(
                "INSERT INTO deal (name, lead_id, owner_id, amount) "
                "SELECT 'With ' || company, id, owner_id, amount FROM lead WHERE id = %s RETURNING id",
                [lead],
            )
            self._came(cursor, outcome, "deal")

    def _deal_moves(self, cursor: Cursor, outcome: Outcome) -> None:
        stage = self._dice.choice(("open", "offer", "closed", "dropped"))
        statement = _MOVE_DEAL_AT_A_DISCOUNT if self._has_discount else _MOVE_DEAL
        cursor.execute(statement, [stage, self._living["deal"].pick(self._dice)])
        outcome.count("deal", Change.UPDATE, cursor.rowcount)

    def _contact_is_edited(self, cursor: Cursor, outcome: Outcome) -> None:
        cursor.execute(
            "UPDATE contact SET phone = %s, title = 'Head of Purchasing', updated_at = now() WHERE id = ANY(%s)",
            [f"+49 30 {self._dice.randint(100000, 999999)}", self._living["contact"].pick(self._dice)],
        )
        outcome.count("contact", Change.UPDATE, cursor.rowcount)

    def _row_is_deleted(self, cursor: Cursor, outcome: Outcome) -> None:
        table = self._dice.choice(("lead", "lead", "contact", "deal"))
        statement = sql.SQL("DELETE FROM {} WHERE id = ANY(%s) RETURNING id").format(sql.Identifier(table))
        cursor.execute(statement, [self._living[table].pick(self._dice)])
        gone = [(table, number) for (number,) in cursor.fetchall()]
        outcome.gone += gone
        outcome.count(table, Change.DELETE, len(gone))

    def _lead_gets_another_id(self, cursor: Cursor, outcome: Outcome) -> None:
        for lead in self._living["lead"].pick(self._dice):
            cursor.execute(
                "UPDATE lead SET id = nextval(pg_get_serial_sequence('lead', 'id')), updated_at = now() "
                "WHERE id = %s RETURNING id",
                [lead],
            )
            outcome.gone.append(("lead", lead))
            outcome.born += [("lead", number) for (number,) in cursor.fetchall()]
            outcome.count("lead", Change.KEY_CHANGE, cursor.rowcount)

    def _mistake(self, cursor: Cursor, outcome: Outcome) -> None:
        self._leads_change_owner(cursor, outcome)
        self._lead_arrives(cursor, outcome)
        outcome.is_mistake = True

    def _came(self, cursor: Cursor, outcome: Outcome, table: str) -> None:
        born = [(table, number) for (number,) in cursor.fetchall()]
        outcome.born += born
        outcome.count(table, Change.CREATE, len(born))


def _ids(cursor: Cursor, table: str) -> list[int]:
    statement = sql.SQL("SELECT id FROM {} ORDER BY id").format(sql.Identifier(table))
    return [number for (number,) in cursor.execute(statement).fetchall()]
