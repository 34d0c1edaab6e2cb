"""Every type of Postgres that has a row in the design or in the golden records, each with its edge values.

A table of facts, written by hand: what the server prints, what travels, and what history holds. `AS_PRINTED` says that
history holds the very text that the server prints.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum


class Fate(Enum):
    """What becomes of a value that history does not hold as a value of the column's type."""

    AS_PRINTED = "as printed"
    """History holds the text that the server prints."""
    NOT_ON_THE_WIRE = "not on the wire"
    """The wire's type has no such value: a header carries the text."""
    NOT_IN_THE_COLUMN = "not in the column"
    """It travels, but the history column's type has no such value."""


@dataclass(frozen=True, slots=True)
class AsSent:
    """As `NOT_IN_THE_COLUMN`, but the text that is kept is the wire's: the server's own does not travel."""

    text: str


AS_PRINTED = Fate.AS_PRINTED
NOT_ON_THE_WIRE = Fate.NOT_ON_THE_WIRE
NOT_IN_THE_COLUMN = Fate.NOT_IN_THE_COLUMN


@dataclass(frozen=True, slots=True)
class Edge:
    """One value. `literal` is an SQL expression, `printed` the server's text, `held` the text that DuckDB prints."""

    name: str
    literal: str
    printed: str
    held: str | Fate | AsSent = AS_PRINTED


@dataclass(frozen=True, slots=True)
class TypeFacts:
    """One type: its SQL, what it is on the wire and in DuckDB, and its edges."""

    name: str
    sql: str
    wire: str
    column: str
    edges: Sequence[Edge]

    @property
    def field(self) -> str:
        """The name of a column of the type."""
        return "c_" + "".join(c if c.isalnum() else "_" for c in self.name.lower())


def edge(name: str, literal: str, printed: str, held: str | Fate | AsSent = AS_PRINTED) -> Edge:
    return Edge(name, literal, printed, held)


def text(name: str, value: str, held: str | Fate | AsSent = AS_PRINTED, printed: str | None = None) -> Edge:
    """An edge whose literal is the quoted text and which the server prints as it was written."""
    quoted = "'" + value.replace("'", "''") + "'"
    return Edge(name, quoted, value if printed is None else printed, held)


SETUP = (
    "CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE EXTENSION ltree",
    "CREATE TYPE mood AS ENUM ('sad', 'ok', 'very happy', 'glücklich')",
    "CREATE DOMAIN percent AS int CHECK (VALUE BETWEEN 0 AND 100)",
    "CREATE DOMAIN small_percent AS percent CHECK (VALUE < 50)",
    "CREATE DOMAIN price AS numeric(12, 2)",
    "CREATE TYPE point3 AS (x int, label text)",
    "CREATE TYPE nested3 AS (inner_point point3, tags text[])",
    "CREATE TYPE float_range AS RANGE (subtype = float8)",
    "CREATE DOMAIN tags AS text[] CHECK (cardinality(VALUE) < 5)",
)
"""What the types below need; one statement after the other."""

DIGITS_38 = "9" * 29 + "." + "9" * 9
EMOJI = "naïve ☕ 漢字 😀 e\u0301"
TOASTED = "".join(f"{n:9d}" for n in range(1, 10_000))
YEAR = 31_557_600
"""Seconds of Debezium's average year, twelve months of 365.25 / 12 days."""


def _hours(seconds: int, fraction: str = "") -> str:
    """A duration as DuckDB prints an interval of microseconds only."""
    sign, rest = ("-", -seconds) if seconds < 0 else ("", seconds)
    return f"{sign}{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}{fraction}"


NUMBERS = (
    TypeFacts("bool", "boolean", "boolean", "BOOLEAN", [
        edge("true", "true", "t", "true"),
        edge("false", "false", "f", "false"),
    ]),
    TypeFacts("int2", "smallint", "int (int16)", "SMALLINT", [
        edge("min", "-32768", "-32768"),
        edge("max", "32767", "32767"),
        edge("zero", "0", "0"),
    ]),
    TypeFacts("int4", "integer", "int", "INTEGER", [
        edge("min", "-2147483648", "-2147483648"),
        edge("max", "2147483647", "2147483647"),
    ]),
    TypeFacts("int8", "bigint", "long", "BIGINT", [
        edge("min", "-9223372036854775808", "-9223372036854775808"),
        edge("max", "9223372036854775807", "9223372036854775807"),
    ]),
    TypeFacts("oid", "oid", "long", "BIGINT", [
        edge("max", "4294967295", "4294967295"),
        edge("zero", "0", "0"),
    ]),
    TypeFacts("float4", "real", "float", "FLOAT", [
        text("nan", "NaN", "nan"),
        text("infinity", "Infinity", "inf"),
        text("minus-infinity", "-Infinity", "-inf"),
        text("minus-zero", "-0", "-0.0"),
        text("smallest", "1e-45"),
        text("largest", "3.4028235e+38"),
        text("shortest", "0.1"),
    ]),
    TypeFacts("float8", "double precision", "double", "DOUBLE", [
        text("nan", "NaN", "nan"),
        text("infinity", "Infinity", "inf"),
        text("minus-infinity", "-Infinity", "-inf"),
        text("minus-zero", "-0", "-0.0"),
        text("smallest", "5e-324"),
        text("largest", "1.7976931348623157e+308"),
        text("shortest", "0.1"),
        text("seventeen-digits", "0.30000000000000004"),
    ]),
    TypeFacts("numeric(38,9)", "numeric(38,9)", "bytes Decimal(38,9)", "DECIMAL(38,9)", [
        text("max", DIGITS_38),
        text("min", "-" + DIGITS_38),
        text("smallest", "-0.000000001"),
        text("zero", "0.000000000"),
        text("nan", "NaN", NOT_ON_THE_WIRE),
    ]),
    TypeFacts("numeric(12,2)", "numeric(12,2)", "bytes Decimal(12,2)", "DECIMAL(12,2)", [
        text("padded", "100.5", "100.50", "100.50"),
        text("max", "9999999999.99"),
        text("minus-cent", "-0.01"),
        text("nan", "NaN", NOT_ON_THE_WIRE),
    ]),
    TypeFacts("numeric(8,2)", "numeric(8,2)", "bytes Decimal(8,2)", "DECIMAL(8,2)", [
        text("max", "999999.99"),
        text("rounded", "1.005", "1.01", "1.01"),
    ]),
    TypeFacts("numeric(38,0)", "numeric(38)", "bytes Decimal(38,0)", "DECIMAL(38,0)", [
        text("max", "9" * 38),
        text("min", "-" + "9" * 38),
    ]),
    TypeFacts("numeric(3,3)", "numeric(3,3)", "bytes Decimal(3,3)", "DECIMAL(3,3)", [
        text("max", "0.999", ".999"),
        text("min", "-0.999", "-.999"),
    ]),
    TypeFacts("numeric(60,30)", "numeric(60,30)", "bytes Decimal(60,30)", "VARCHAR", [
        text("max", "9" * 30 + "." + "9" * 30),
        text("smallest", "-0." + "0" * 29 + "1"),
        text("nan", "NaN", NOT_ON_THE_WIRE),
    ]),
    TypeFacts("numeric(3,-2)", "numeric(3,-2)", "record VariableScaleDecimal", "VARCHAR", [
        text("max", "99900"),
        text("rounded", "-12345", "-12300", "-12300"),
    ]),
    TypeFacts("numeric(2,5)", "numeric(2,5)", "record VariableScaleDecimal", "VARCHAR", [
        text("max", "0.00099"),
    ]),
    TypeFacts("numeric", "numeric", "record VariableScaleDecimal", "VARCHAR", [
        text("29-digits", "12345678901234567890.123456789"),
        text("trailing-zeros", "1.500"),
        text("zero", "0"),
        text("zero-of-scale", "0.00"),
        text("negative", "-0.5"),
        edge("huge", "1e1000::numeric", "1" + "0" * 1000),
        edge("tiny", "1e-500::numeric", "0." + "0" * 499 + "1"),
        text("nan", "NaN", NOT_ON_THE_WIRE),
        text("infinity", "Infinity", NOT_ON_THE_WIRE),
        text("minus-infinity", "-Infinity", NOT_ON_THE_WIRE),
    ]),
    TypeFacts("money", "money", "bytes Decimal(64,2)", "VARCHAR", [
        text("thousands", "$1,234.56", "1234.56"),
        text("minus-cent", "-$0.01", "-0.01"),
        text("max", "$92,233,720,368,547,758.07", "92233720368547758.07"),
        text("min", "-$92,233,720,368,547,758.08", "-92233720368547758.08"),
    ]),
)  # fmt: skip

TEXTS = (
    TypeFacts("text", "text", "string", "VARCHAR", [
        text("empty", ""),
        text("unicode", EMOJI),
        text("four-bytes", "😀🏳️‍🌈"),
        text("spaces", "  a  "),
        edge("controls", "E'a\\tb\\nc\\rd\\\\e\\b\\f\\x0b'", "a\tb\nc\rd\\e\b\f\v"),
        edge("escape-lookalike", "'\\N'", "\\N"),
        edge("quotes", "'it''s \"so\"'", "it's \"so\""),
        text("null-lookalike", "NULL"),
        text("placeholder-lookalike", "__debezium_unavailable_value"),
        edge("toasted", "(SELECT string_agg(lpad(i::text, 9), '') FROM generate_series(1, 9999) AS i)", TOASTED),
    ]),
    TypeFacts("varchar(20)", "varchar(20)", "string", "VARCHAR", [
        text("full", "ä" * 20),
        text("trailing-spaces", "ab   "),
        text("empty", ""),
    ]),
    TypeFacts("varchar(80)", "varchar(80)", "string", "VARCHAR", [
        text("full", "😀" * 80),
    ]),
    TypeFacts("char(5)", "char(5)", "string", "VARCHAR", [
        text("padded", "ab", "ab   ", "ab   "),
        text("empty", "", "     ", "     "),
        text("full", "漢字漢字漢"),
    ]),
    TypeFacts("internal-char", '"char"', "string", "VARCHAR", [
        text("letter", "x"),
        text("empty", ""),
        edge("high-byte", "(-56)::\"char\"", "\\310"),
    ]),
    TypeFacts("name", "name", "string", "VARCHAR", [
        text("longest", "n" * 63),
        text("unicode", "größe"),
    ]),
    TypeFacts("citext", "citext", "string", "VARCHAR", [
        text("mixed-case", "Ada@Example.COM"),
        text("empty", ""),
    ]),
    TypeFacts("mood", "mood", "string Enum", "VARCHAR", [
        text("first", "sad"),
        text("space", "very happy"),
        text("unicode", "glücklich"),
    ]),
    TypeFacts("uuid", "uuid", "string Uuid", "UUID", [
        text("ordinary", "6f1e0e4c-7b6f-4a3b-9c2d-0123456789ab"),
        text("nil", "00000000-0000-0000-0000-000000000000"),
        text("max", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
        edge("upper-case", "'6F1E0E4C7B6F4A3B9C2D0123456789AB'", "6f1e0e4c-7b6f-4a3b-9c2d-0123456789ab"),
    ]),
    TypeFacts("json", "json", "string Json", "JSON", [
        text("order-and-duplicates", '{"b":1, "a":[1,2],  "b":2}'),
        text("big-number", '{"n":12345678901234567890123456789.000100}'),
        text("null", "null"),
        text("scalar", '"a"'),
        text("escapes", '{"k":"\\u00e9\\n\\"\\ud83d\\ude00"}'),
        text("lone-surrogate", '{"k":"\\ud83d"}', NOT_IN_THE_COLUMN),
        text("nul-escape", '{"k":"\\u0000"}'),
        text("empty-object", "{}"),
        text("deep", "[" * 100 + "]" * 100),
    ]),
    TypeFacts("jsonb", "jsonb", "string Json", "JSON", [
        text("order-and-duplicates", '{"bb":1,"a":[1,2],"bb":2}', '{"a": [1, 2], "bb": 2}', '{"a": [1, 2], "bb": 2}'),
        text("big-number", '{"n": 12345678901234567890123456789.000100}'),
        text("null", "null"),
        text("unicode", '{"k": "' + EMOJI + '"}'),
        text("empty-array", "[]"),
    ]),
    TypeFacts("xml", "xml", "string Xml", "VARCHAR", [
        text("element", "<a>b</a>"),
        text("fragments", "a<b/>c"),
        text("unicode", "<a>" + EMOJI + "</a>"),
    ]),
    TypeFacts("hstore", "hstore", "string", "VARCHAR", [
        text("pairs", '"a"=>"1", "b"=>NULL'),
        text("empty", ""),
    ]),
    TypeFacts("ltree", "ltree", "string", "VARCHAR", [
        text("path", "Top.Science.Astronomy"),
    ]),
    TypeFacts("tsvector", "tsvector", "string Tsvector", "VARCHAR", [
        text("positions", "'cat':3 'fat':2,4"),
        text("empty", ""),
    ]),
    TypeFacts("inet", "inet", "string", "VARCHAR", [
        text("with-mask", "192.168.0.1/24"),
        text("host", "192.168.0.1"),
        text("ipv6", "::1"),
    ]),
    TypeFacts("cidr", "cidr", "string", "VARCHAR", [
        text("net", "10.0.0.0/8"),
        text("ipv6", "2001:db8::/32"),
    ]),
    TypeFacts("macaddr", "macaddr", "string", "VARCHAR", [
        text("ordinary", "08:00:2b:01:02:03"),
    ]),
    TypeFacts("macaddr8", "macaddr8", "string", "VARCHAR", [
        text("ordinary", "08:00:2b:01:02:03:04:05"),
    ]),
)  # fmt: skip

BYTES = (
    TypeFacts("bytea", "bytea", "bytes", "BLOB", [
        edge("empty", "''", "\\x", ""),
        edge("all-bytes", "decode('" + bytes(range(256)).hex() + "', 'hex')", "\\x" + bytes(range(256)).hex(),
             bytes(range(256)).hex()),
        edge("nul", "'\\x00'", "\\x00", "00"),
        edge("placeholder-lookalike", "'__debezium_unavailable_value'::bytea",
             "\\x" + b"__debezium_unavailable_value".hex(), b"__debezium_unavailable_value".hex()),
    ]),
    TypeFacts("bit(1)", "bit(1)", "boolean", "BOOLEAN", [
        edge("one", "B'1'", "1", "true"),
        edge("zero", "B'0'", "0", "false"),
    ]),
    TypeFacts("bit(11)", "bit(11)", "bytes Bits", "BLOB", [
        edge("ordinary", "B'10101010101'", "10101010101", "5505"),
        edge("zero", "B'00000000000'", "00000000000", ""),
        edge("ones", "B'11111111111'", "11111111111", "ff07"),
    ]),
    TypeFacts("varbit(20)", "varbit(20)", "bytes Bits", "BLOB", [
        edge("ordinary", "B'1011'", "1011", "0b"),
        edge("empty", "B''", "", ""),
        edge("leading-zeros", "B'0001011'", "0001011", "0b"),
    ]),
    TypeFacts("varbit", "varbit", "bytes Bits", "BLOB", [
        edge("long", "repeat('1', 70)::varbit", "1" * 70, "ff" * 8 + "3f"),
    ]),
)  # fmt: skip

TIMES = (
    TypeFacts("date", "date", "int Date", "DATE", [
        text("leap-day", "2024-02-29"),
        text("before-1970", "1969-12-31"),
        text("infinity", "infinity", NOT_IN_THE_COLUMN),
        text("minus-infinity", "-infinity", NOT_IN_THE_COLUMN),
        text("bc", "0044-03-15 BC", "0044-03-15 (BC)"),
        text("year-12345", "12345-01-01"),
        text("max", "5874897-12-31"),
        text("min", "4713-01-01 BC", "4713-01-01 (BC)"),
    ]),
    TypeFacts("time", "time", "long MicroTime", "TIME", [
        text("microseconds", "23:59:59.999999"),
        text("midnight", "00:00:00"),
        text("end-of-day", "24:00:00"),
    ]),
    TypeFacts("time(3)", "time(3)", "int Time", "TIME", [
        text("milliseconds", "12:34:56.789"),
        text("end-of-day", "24:00:00"),
    ]),
    TypeFacts("timetz", "timetz", "string ZonedTime", "VARCHAR", [
        edge("half-hour", "'12:34:56+05:30'", "12:34:56+05:30", "07:04:56Z"),
        edge("offset-seconds", "'12:00:00.5+01:02:03'", "12:00:00.5+01:02:03", "10:57:57.5Z"),
        edge("day-before", "'00:30:00+01'", "00:30:00+01", "23:30:00Z"),
        edge("end-of-day", "'24:00:00+00'", "24:00:00+00", "24:00:00Z"),
    ]),
    TypeFacts("timestamp", "timestamp", "long MicroTimestamp", "TIMESTAMP", [
        text("microseconds", "2024-07-01 12:00:00.123456"),
        text("before-1970", "1969-12-31 23:59:59.5"),
        text("infinity", "infinity", NOT_IN_THE_COLUMN),
        text("minus-infinity", "-infinity", NOT_IN_THE_COLUMN),
        text("bc", "0044-03-15 12:00:00 BC", "0044-03-15 (BC) 12:00:00"),
        text("year-12345", "12345-01-01 10:00:00.25"),
        text("min", "4713-01-01 00:00:00 BC", "4713-01-01 (BC) 00:00:00"),
        text("max", "294276-12-31 23:59:59.999999", NOT_ON_THE_WIRE),
    ]),
    TypeFacts("timestamp(3)", "timestamp(3)", "long Timestamp", "TIMESTAMP", [
        text("milliseconds", "2024-07-01 12:00:00.123"),
        text("year-one", "0001-01-01 00:00:00"),
        text("infinity", "infinity", NOT_IN_THE_COLUMN),
        text("max", "294276-12-31 23:59:59.999", AsSent("9224318015999999 (as Timestamp)")),
    ]),
    TypeFacts("timestamp(0)", "timestamp(0)", "long Timestamp", "TIMESTAMP", [
        text("seconds", "2024-07-01 12:00:00"),
        text("year-9999", "9999-12-31 23:59:59"),
    ]),
    TypeFacts("timestamptz", "timestamptz", "string ZonedTimestamp", "TIMESTAMP WITH TIME ZONE", [
        edge("zone", "'2024-07-01 12:00:00.1+02'", "2024-07-01 10:00:00.1+00"),
        text("microseconds", "2024-07-01 10:00:00.123456+00"),
        text("before-1970", "1969-12-31 23:59:59.5+00"),
        text("infinity", "infinity", NOT_IN_THE_COLUMN),
        text("minus-infinity", "-infinity", NOT_IN_THE_COLUMN),
        text("bc", "0044-03-15 12:00:00+00 BC", "0044-03-15 (BC) 12:00:00+00"),
        text("year-12345", "12345-01-01 10:00:00.5+00"),
        text("max", "294276-12-31 23:59:59.999999+00", AsSent("+294276-12-31T23:59:59.999999Z")),
    ]),
    TypeFacts("timestamptz(3)", "timestamptz(3)", "string ZonedTimestamp", "TIMESTAMP WITH TIME ZONE", [
        text("milliseconds", "2024-07-01 12:00:00.123+00"),
        text("year-one", "0001-01-01 00:00:00+00"),
    ]),
    TypeFacts("interval", "interval", "long MicroDuration", "INTERVAL", [
        edge("every-part", "'1 year 2 months 3 days 04:05:06.789'", "P1Y2M3DT4H5M6.789S",
             _hours(14 * YEAR // 12 + 3 * 86400 + 14706, ".789")),
        edge("minus-day", "'-1 day'", "P-1D", _hours(-86400)),
        edge("mixed-signs", "'1 month -1 day -00:00:00.5'", "P1M-1DT-0.5S", _hours(YEAR // 12 - 86401, ".5")),
        edge("zero", "'0'", "PT0S", "00:00:00"),
        edge("weeks", "'2 weeks'", "P14D", _hours(14 * 86400)),
        edge("infinity", "'infinity'", "infinity", NOT_ON_THE_WIRE),
        edge("beyond-a-long", "'178000000 years'", "P178000000Y", NOT_ON_THE_WIRE),
    ]),
)  # fmt: skip

NESTED = (
    TypeFacts("int4[]", "int[]", "array of int", "INTEGER[]", [
        text("with-null", "{1,NULL,3}", "[1, NULL, 3]"),
        text("empty", "{}", "[]"),
        text("two-dimensions", "{{1,2},{3,4}}", NOT_ON_THE_WIRE),
        text("lower-bound", "[0:1]={1,2}", "[1, 2]"),
    ]),
    TypeFacts("text[]", "text[]", "array of string", "VARCHAR[]", [
        text("quoted", '{a,NULL,"b,c","d\\"e","NULL",""}', '["a",null,"b,c","d\\"e","NULL",""]'),
        text("empty", "{}", "[]"),
        text("unicode", "{" + "漢字,😀" + "}", '["漢字","😀"]'),
    ]),
    TypeFacts("numeric(10,2)[]", "numeric(10,2)[]", "array of bytes Decimal(10,2)", "DECIMAL(10,2)[]", [
        text("with-null", "{1.50,NULL,-0.01}", "[1.50, NULL, -0.01]"),
        text("nan", "{1.50,NaN}", NOT_ON_THE_WIRE),
    ]),
    TypeFacts("numeric[]", "numeric[]", "array of record VariableScaleDecimal", "VARCHAR[]", [
        text("scales", "{1.50,NULL,100000000000000000000000000000000000000000}",
             '["1.50",null,"100000000000000000000000000000000000000000"]'),
    ]),
    TypeFacts("float8[]", "float8[]", "array of double", "DOUBLE[]", [
        text("specials", "{NaN,-0,Infinity}", "[nan, -0.0, inf]"),
    ]),
    TypeFacts("bool[]", "bool[]", "array of boolean", "BOOLEAN[]", [
        text("both", "{t,f,NULL}", "[true, false, NULL]"),
    ]),
    TypeFacts("date[]", "date[]", "array of int Date", "DATE[]", [
        text("ordinary", "{2024-01-01,NULL}", "[2024-01-01, NULL]"),
        text("infinity", "{2024-01-01,infinity}", AsSent('["19723 (as Date)", "infinity"]')),
    ]),
    TypeFacts("timestamp[]", "timestamp[]", "array of long MicroTimestamp", "TIMESTAMP[]", [
        text("ordinary", '{"2024-01-01 00:00:00.000001",NULL}', "['2024-01-01 00:00:00.000001', NULL]"),
    ]),
    TypeFacts("timestamptz[]", "timestamptz[]", "array of string ZonedTimestamp", "TIMESTAMP WITH TIME ZONE[]", [
        text("ordinary", '{"2024-01-01 00:00:00+00"}', "['2024-01-01 00:00:00+00']"),
    ]),
    TypeFacts("uuid[]", "uuid[]", "array of string Uuid", "UUID[]", [
        text("ordinary", "{6f1e0e4c-7b6f-4a3b-9c2d-0123456789ab}", "[6f1e0e4c-7b6f-4a3b-9c2d-0123456789ab]"),
    ]),
    TypeFacts("jsonb[]", "jsonb[]", "array of string Json", "JSON[]", [
        text("ordinary", '{"{\\"a\\": 1}",NULL}', '["{\\"a\\": 1}",null]'),
    ]),
    TypeFacts("bytea[]", "bytea[]", "array of bytes", "BLOB[]", [
        text("ordinary", '{"\\\\x00ff"}', "[00ff]"),
    ]),
    TypeFacts("mood[]", "mood[]", "array of string Enum", "VARCHAR[]", [
        text("ordinary", '{sad,"very happy",NULL}', '["sad","very happy",null]'),
    ]),
    TypeFacts("percent", "percent", "int", "INTEGER", [
        edge("max", "100", "100"),
        edge("zero", "0", "0"),
    ]),
    TypeFacts("small_percent", "small_percent", "int", "INTEGER", [
        edge("max", "49", "49"),
    ]),
    TypeFacts("price", "price", "bytes Decimal(12,2)", "DECIMAL(12,2)", [
        text("padded", "1.5", "1.50", "1.50"),
        text("nan", "NaN", NOT_ON_THE_WIRE),
    ]),
    TypeFacts("percent[]", "percent[]", "array of int", "INTEGER[]", [
        text("ordinary", "{1,NULL,100}", "[1, NULL, 100]"),
    ]),
    TypeFacts("point3", "point3", "string", "VARCHAR", [
        edge("ordinary", "ROW(1, 'a b')", '(1,"a b")'),
        edge("nulls", "ROW(NULL, NULL)", "(,)"),
    ]),
    TypeFacts("nested3", "nested3", "string", "VARCHAR", [
        edge("ordinary", "ROW(ROW(1, 'a'), '{x,y}')", '("(1,a)","{x,y}")'),
    ]),
    TypeFacts("int4range", "int4range", "string", "VARCHAR", [
        text("half-open", "[1,10)"),
        text("empty", "empty"),
        text("unbounded", "(,)"),
        text("canonical", "(0,9]", "[1,10)", "[1,10)"),
    ]),
    TypeFacts("tstzrange", "tstzrange", "string", "VARCHAR", [
        text("unbounded-end", '["2024-01-01 00:00:00+00",)'),
    ]),
    TypeFacts("float_range", "float_range", "string", "VARCHAR", [
        text("ordinary", "[1.5,2.5)"),
    ]),
    TypeFacts("int4multirange", "int4multirange", "string", "VARCHAR", [
        text("two", "{[1,3),[5,8)}"),
        text("empty", "{}"),
    ]),
    TypeFacts("point", "point", "record Point", "JSON", [
        text("ordinary", "(1.5,-2)",
             '{"x":1.5,"y":-2.0,"wkb":"0101000000000000000000f83f00000000000000c0","srid":null}'),
    ]),
    TypeFacts("circle", "circle", "string", "VARCHAR", [
        text("ordinary", "<(0,0),1>"),
    ]),
    TypeFacts("box", "box", "string", "VARCHAR", [
        text("ordinary", "(1,1),(0,0)"),
    ]),
    TypeFacts("box[]", "box[]", "array of string", "VARCHAR[]", [
        # The only built-in type whose arrays are not separated by commas.
        text("delimiter", "{(1,1),(0,0);(2,2),(1,1)}", '["(1,1),(0,0)","(2,2),(1,1)"]'),
    ]),
    TypeFacts("polygon", "polygon", "string", "VARCHAR", [
        text("ordinary", "((0,0),(1,1),(1,0))"),
    ]),
    TypeFacts("tags", "tags", "array of string", "VARCHAR[]", [
        text("ordinary", "{a,NULL}", '["a",null]'),
    ]),
    TypeFacts("tags[]", "tags[]", "array of array of string", "VARCHAR[][]", [
        text("ordinary", '{"{a,b}","{}"}', "[[a, b], []]"),
    ]),
    TypeFacts("char(5)[]", "char(5)[]", "array of string", "VARCHAR[]", [
        text("padded", "{ab}", '["ab   "]', '{"ab   "}'),
    ]),
    TypeFacts("time[]", "time[]", "array of long MicroTime", "TIME[]", [
        text("end-of-day", "{24:00:00,12:34:56.5}", "['24:00:00', '12:34:56.5']"),
    ]),
    TypeFacts("interval[]", "interval[]", "array of long MicroDuration", "INTERVAL[]", [
        text("ordinary", "{P1D,PT-0.5S}", "['24:00:00', '-00:00:00.5']"),
        text("infinity", "{P1D,infinity}", NOT_ON_THE_WIRE),
    ]),
    TypeFacts("point3[]", "point3[]", "array of string", "VARCHAR[]", [
        text("ordinary", '{"(1,\\"a b\\")",NULL}', '["(1,\\"a b\\")",null]'),
    ]),
    TypeFacts("int4range[]", "int4range[]", "array of string", "VARCHAR[]", [
        text("ordinary", '{"[1,3)",empty}', '["[1,3)","empty"]'),
    ]),
    TypeFacts("point[]", "point[]", "array of record Point", "JSON[]", [
        text("ordinary", '{"(1.5,-2)"}',
             '["{\\"x\\":1.5,\\"y\\":-2.0,\\"wkb\\":\\"0101000000000000000000f83f00000000000000c0\\",\\"srid\\":null}"]'),
    ]),
    TypeFacts("citext[]", "citext[]", "array of string", "VARCHAR[]", [
        text("ordinary", "{Ada,NULL}", '["Ada",null]'),
    ]),
    # Their category is that of arrays, their text is not.
    TypeFacts("int2vector", "int2vector", "string", "VARCHAR", [
        text("ordinary", "1 2 3"),
        text("empty", ""),
    ]),
    TypeFacts("oidvector", "oidvector", "string", "VARCHAR", [
        text("ordinary", "1 4294967295"),
    ]),
    TypeFacts("regclass", "regclass", "string", "VARCHAR", [
        text("catalogue", "pg_class"),
    ]),
    TypeFacts("pg_lsn", "pg_lsn", "string", "VARCHAR", [
        text("ordinary", "16/B374D848"),
    ]),
)  # fmt: skip

TYPES: Sequence[TypeFacts] = (*NUMBERS, *TEXTS, *BYTES, *TIMES, *NESTED)


def every_edge() -> Iterator[tuple[TypeFacts, Edge]]:
    """Every type with each of its edges."""
    for of in TYPES:
        for each in of.edges:
            yield of, each
