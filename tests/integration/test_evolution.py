"""Tables that change in Postgres under each policy, with `steno plan` and `steno apply`, proved by `steno verify`."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from stenograph.assembly import console
from stenograph.errors import SchemaConflict
from stenograph.history import plain_rows
from tests.crash.site import Site, until
from tests.fix_postgres import Database
from tests.fix_shop import proved, rewrite
from tests.operating import Said, ask

pytestmark = pytest.mark.integration


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Site:
    """A pipeline of one table, stored as it is."""
    database.execute(
        "CREATE TYPE stage AS ENUM ('new', 'won')",
        "CREATE TABLE lead (id int PRIMARY KEY, score int, note text, stage stage)",
        "INSERT INTO lead VALUES (1, 1, 'one', 'new')",
    )
    made = Site.make(tmp_path / "shop", database.dsn, ("lead",))
    with made.running():
        made.until_read()
        made.until_captured()
        proved(made)
    return made


def policy(site: Site, word: str) -> None:
    rewrite(site, "public.lead: {}", f"public.lead: {{evolution: {word}}}")


def rows(site: Site, sql: str) -> list[tuple[Any, ...]]:
    return list(plain_rows(console(site.pipeline).query(sql).rows))


def planned(site: Site, code: int, *words: str) -> dict[str, Any]:
    said = ask(site, "plan", *words, "--json")
    assert said.code == code, said
    (table,) = said.json["tables"]
    assert isinstance(table, dict)
    return table


def stored(site: Site) -> None:
    """Both loops run until everything is captured, stored and proved."""
    with site.running():
        site.until_captured()
        proved(site)


def captured(site: Site) -> None:
    with site.running("capture"):
        site.until_captured()


def sink_stops(site: Site) -> SchemaConflict:
    """The conflict that pauses the table."""
    with pytest.raises(SchemaConflict) as refusal, site.running("sink") as failures:
        until(lambda: bool(failures), "the sink pauses the table")
    return refusal.value


def test_a_table_that_evolves_follows_its_source(site: Site, database: Database) -> None:
    database.execute(
        "ALTER TABLE lead ALTER COLUMN score TYPE bigint",
        "INSERT INTO lead VALUES (2, 5000000000, 'two', 'won')",
        "ALTER TABLE lead ADD COLUMN amount numeric(10, 2)",
        "INSERT INTO lead VALUES (3, 3, 'three', 'new', 1.50)",
        "ALTER TYPE stage ADD VALUE 'lost'",
        "INSERT INTO lead VALUES (4, 4, 'four', 'lost', NULL)",
        "ALTER TABLE lead DROP COLUMN note",
        "INSERT INTO lead VALUES (5, 5, 'won', 2)",
        "ALTER TABLE lead ADD COLUMN note text",
        "INSERT INTO lead VALUES (6, 6, 'won', 2, 'six')",
    )
    stored(site)

    found = "SELECT id, score, stage, amount, note FROM public_lead_history WHERE _steno_op = 'create' ORDER BY id"
    assert rows(site, found) == [
        (2, 5_000_000_000, "won", None, "two"),
        (3, 3, "new", Decimal("1.50"), "three"),
        (4, 4, "lost", None, "four"),
        (5, 5, "won", Decimal("2.00"), None),
        (6, 6, "won", Decimal("2.00"), "six"),
    ]
    assert planned(site, 0)["state"] == "nothing to do"
    assert ask(site, "apply").code == 0


def test_a_key_that_is_widened_keeps_its_rows_lives_together(site: Site, database: Database) -> None:
    database.execute(
        "INSERT INTO lead SELECT n, 0 FROM generate_series(2, 20) AS n",
        "ALTER TABLE lead ALTER COLUMN id TYPE bigint",
        "UPDATE lead SET score = 2",
        "INSERT INTO lead VALUES (5000000000, 3)",
    )
    stored(site)

    found = "SELECT count(*), count(DISTINCT id), sum(score) FROM public_lead_current"
    assert rows(site, found) == [(21, 21, 43)]
    assert rows(site, "SELECT count(*) FROM public_lead_versions WHERE is_current") == [(21,)]


def test_a_frozen_table_waits_until_its_change_is_applied(site: Site, database: Database) -> None:
    policy(site, "freeze")
    database.execute(
        "ALTER TABLE lead ALTER COLUMN score TYPE bigint",
        "ALTER TABLE lead ADD COLUMN city text",
        "INSERT INTO lead VALUES (2, 5000000000, 'two', 'won', 'Bern')",
    )
    captured(site)
    refusal = sink_stops(site)

    wanted = planned(site, 4, "public.lead")
    assert str(refusal.facts["statement"]) == " ".join(wanted["statements"])
    assert wanted["adds"] == [{"column": "city", "type": "text"}]
    assert wanted["widens"] == [{"column": "score", "from": "int32", "to": "int64"}]
    assert [said.code for said in (ask(site, "apply", "--json"), ask(site, "plan"))] == [0, 0]
    stored(site)
    found = rows(site, "SELECT score, city FROM public_lead_current WHERE id = 2")
    assert found == [(5_000_000_000, "Bern")]


def test_a_table_that_ignores_changes_keeps_them_beside_it(site: Site, database: Database) -> None:
    policy(site, "ignore")
    database.execute(
        "ALTER TABLE lead DROP COLUMN note",
        "ALTER TABLE lead ADD COLUMN note int",
        "ALTER TABLE lead ADD COLUMN city text",
        "INSERT INTO lead VALUES (2, 2, 'won', 22, 'Bern')",
    )
    stored(site)

    assert rows(site, "SELECT note, _steno_extra FROM public_lead_history WHERE id = 2") == [
        (None, '{"note":22,"city":"Bern"}')
    ]
    pending = planned(site, 4)
    assert (pending["state"], pending["adds"]) == ("to be changed", [{"column": "city", "type": "text"}])


def test_a_column_that_comes_back_with_another_type_pauses_its_table(site: Site, database: Database) -> None:
    database.execute(
        "ALTER TABLE lead DROP COLUMN note",
        "ALTER TABLE lead ADD COLUMN note int",
        "INSERT INTO lead VALUES (2, 2, 'won', 22)",
    )
    captured(site)

    assert sink_stops(site).facts["column"] == "note"
    policy(site, "ignore")
    stored(site)
    assert rows(site, "SELECT _steno_extra FROM public_lead_history WHERE id = 2") == [('{"note":22}',)]


def test_what_no_column_can_hold_is_proved_too(site: Site, database: Database) -> None:
    database.execute(
        "ALTER TABLE lead ADD COLUMN amount numeric(6, 2), ADD COLUMN until date, ADD COLUMN at timestamptz(3)",
        "INSERT INTO lead VALUES (2, 2, 'two', 'won', 'NaN', 'infinity', '290000-01-01Z')",
        "INSERT INTO lead VALUES (3, 3, 'three', 'won', 1, '-infinity', 'infinity')",
    )
    stored(site)

    texts = rows(site, "SELECT amount__text, until__text, at__text FROM public_lead_current ORDER BY id")
    assert texts == [(None, None, None), ("NaN", "infinity", None), (None, "-infinity", "infinity")]
    assert rows(site, 'SELECT year("at") FROM public_lead_current WHERE id = 2') == [(290_000,)]
    far = ask(site, "sql", 'SELECT "at", until FROM public_lead_current WHERE id = 2', "--json")
    assert far.json == [{"at": "9089348860800000000 microseconds since 1970", "until": None}]
    said = ask(site, "history", "public.lead", "2", "--json")
    changes: Sequence[dict[str, Any]] = said.json["entries"][0]["changes"]
    assert {"column": "until", "old": None, "new": "infinity"} in changes


def test_plan_and_apply_speak_to_people(site: Site, database: Database) -> None:
    policy(site, "freeze")
    database.execute("ALTER TABLE lead ADD COLUMN city text", "INSERT INTO lead (id) VALUES (2)")
    captured(site)

    plan, sql, applied, after = (
        ask(site, *words) for words in (["plan"], ["plan", "--sql"], ["apply"], ["plan"])
    )

    assert (plan.code, sql.code, applied.code, after.code) == (4, 4, 0, 0)
    assert "city text added" in plan.out
    assert 'ADD COLUMN IF NOT EXISTS "city" VARCHAR;\n    and 3 views' in plan.out
    assert sql.out.startswith("ALTER TABLE")
    assert 'CREATE OR REPLACE VIEW "public_lead_current"' in sql.out
    assert "applied" in applied.out
    assert "goes on when the sink is started again" in applied.out
    assert "Nothing to do" in after.out
    assert _said_nothing_else(plan, sql, applied, after)


def _said_nothing_else(*said: Said) -> bool:
    return all(not each.err for each in said)
