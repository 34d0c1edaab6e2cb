"""How a column's texts become pieces of Avro bytes, all rows of a run at once: one emitter per type.

Handles what Postgres writes every day and says of which rows it is not sure. A type without an emitter is written
value by value, with the lines of the compiled functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from stenograph.envelope.emitters import long_bytes
from stenograph.packing import Bools, Ints
from stenograph.sources.postgres import values
from stenograph.sources.postgres.columnar import calendar, numbers
from stenograph.sources.postgres.columnar.constants import EMPTY, Constants
from stenograph.sources.postgres.columnar.numbers import MAX_DIGITS, from_digits
from stenograph.sources.postgres.columnar.page import Page, Piece
from stenograph.sources.postgres.columnar.texts import Texts
from stenograph.sources.postgres.compiled import UNSURE, CompiledColumn
from stenograph.sources.postgres.emission import Write, value_function
from stenograph.sources.postgres.values import Read

_MINUS, _DOT, _PLUS, _DASH, _SPACE, _T, _ZERO = b"-.+- T0"
_MAX_SCALE = MAX_DIGITS - 3
"""With more digits after the point, too few are left before it."""


@dataclass(frozen=True, slots=True)
class Emitted:
    """A column's pieces of every row, in their order, and the rows whose text is not known here."""

    pieces: tuple[Piece, ...]
    odd: Bools | None = None


Emit = Callable[[Texts, Page], Emitted]


def emitter(of: CompiledColumn, constants: Constants) -> Emit:
    """The column's emitter; the constant pieces that it needs are added to `constants`."""
    typed, read, avro = of.constant.typed, of.read, of.column.avro
    constants.add_longs(typed)
    if read is int:
        return _Whole(typed)
    if read is values.text:
        return _Text(typed)
    if isinstance(read, values.Zoned):
        return _Zoned(typed, read.digits, constants)
    if read is values.boolean or read is values.bit:
        yes, no = constants.add(typed + b"\1"), constants.add(typed + b"\0")
        return _Boolean(b"t"[0] if read is values.boolean else b"1"[0], yes, no)
    if read in _CALENDAR:
        return _Calendar(typed, _CALENDAR[read])
    if read is values.decimal and isinstance(avro, Mapping):
        scale, precision = int(str(avro["scale"])), int(str(avro["precision"]))
        if scale <= _MAX_SCALE:
            return _Decimal(typed, precision, scale)
    return _Each(value_function(of.emission))


@dataclass(frozen=True, slots=True)
class _Text:
    typed: bytes

    def __call__(self, texts: Texts, page: Page) -> Emitted:
        return Emitted((page.longs(self.typed, texts.lengths), texts.pieces))


@dataclass(frozen=True, slots=True)
class _Whole:
    typed: bytes

    def __call__(self, texts: Texts, page: Page) -> Emitted:
        is_negative, count = _sign(texts, page)
        found, odd = from_digits(page.words, texts.stops, count)
        number = found.view(np.int64)
        # Nineteen digits may hold a long and, above that, what looks negative here.
        odd |= (count < 1) | (count > MAX_DIGITS + 1) | (number < 0)
        if is_negative is not None:
            number = np.where(is_negative, -number, number)
        return Emitted((page.longs(self.typed, number),), odd)


@dataclass(frozen=True, slots=True)
class _Boolean:
    letter: int
    yes: int
    no: int

    def __call__(self, texts: Texts, page: Page) -> Emitted:
        is_yes = (page.text[texts.starts] == self.letter) & (texts.lengths == 1)
        return Emitted((np.where(is_yes, self.yes, self.no).astype(np.int32),))


Calendar = Callable[[Texts, Page], tuple[Ints, Bools]]
"""The numbers of texts, and where they are not known."""


def _days(texts: Texts, page: Page) -> tuple[Ints, Bools]:
    found, odd = calendar.days(page, texts.starts)
    return found, odd | (texts.lengths != 10)


def _micros(texts: Texts, page: Page) -> tuple[Ints, Bools]:
    return calendar.micros(page, texts.starts, texts.lengths)


def _millis(texts: Texts, page: Page) -> tuple[Ints, Bools]:
    found, odd = _micros(texts, page)
    return found // 1000, odd


def _time_micros(texts: Texts, page: Page) -> tuple[Ints, Bools]:
    return calendar.micros_of_day(page, texts.starts, texts.lengths)


def _time_millis(texts: Texts, page: Page) -> tuple[Ints, Bools]:
    found, odd = _time_micros(texts, page)
    return found // 1000, odd


_CALENDAR: Mapping[Read, Calendar] = {
    values.date: _days,
    values.micros: _micros,
    values.millis: _millis,
    values.time_micros: _time_micros,
    values.time_millis: _time_millis,
}


@dataclass(frozen=True, slots=True)
class _Calendar:
    typed: bytes
    numbers: Calendar

    def __call__(self, texts: Texts, page: Page) -> Emitted:
        found, odd = self.numbers(texts, page)
        if odd.any():
            found = np.where(odd, 0, found)
        return Emitted((page.longs(self.typed, found),), odd)


@dataclass(frozen=True, slots=True)
class _Decimal:
    typed: bytes
    precision: int
    scale: int

    def __call__(self, texts: Texts, page: Page) -> Emitted:
        is_negative, count = _sign(texts, page)
        scale = self.scale
        if scale:
            dot = texts.stops - (scale + 1)
            whole = count - (scale + 1)
            found, odd = from_digits(page.words, dot, np.maximum(whole, 0))
            fraction, also_odd = from_digits(page.words, texts.stops, np.full(len(texts), scale))
            found = found * np.uint64(10**scale) + fraction
            odd |= also_odd | (page.text[dot] != _DOT)
        else:
            whole = count
            found, odd = from_digits(page.words, texts.stops, count)
        odd |= (whole < 1) | (whole + scale > MAX_DIGITS)
        if self.precision < MAX_DIGITS:
            odd |= found >= np.uint64(10**self.precision)
        number = found.view(np.int64)
        if is_negative is not None:
            number = np.where(is_negative, -number, number)
        sizes = numbers.byte_sizes(number)
        return Emitted(
            (page.longs(self.typed, sizes), page.slots(numbers.big_endian(number), 8 - sizes, 8)), odd
        )


def _sign(texts: Texts, page: Page) -> tuple[Bools | None, Ints]:
    is_negative = page.text[texts.starts] == _MINUS
    if is_negative.any():
        return is_negative, texts.stops - texts.starts - is_negative
    return None, texts.stops - texts.starts


class _Zoned:
    def __init__(self, typed: bytes, digits: int, constants: Constants) -> None:
        rests = {22: b"." + b"0" * digits + b"Z" if digits else b"Z"}
        rests |= {23 + given: b"0" * (digits - given) + b"Z" for given in range(1, digits + 1)}
        self._begin = constants.add(typed + long_bytes(20 + digits + bool(digits)))
        self._ends = np.full(32, EMPTY, np.int32)
        for length, rest in rests.items():
            self._ends[length] = constants.add(rest)

    def __call__(self, texts: Texts, page: Page) -> Emitted:
        ends = self._ends.take(texts.lengths, mode="clip")
        starts, stops, text = texts.starts, texts.stops, page.text
        # A year of more than four digits, one before Christ, and infinity look otherwise.
        odd = (ends == EMPTY) | (text[starts + 4] != _DASH) | (text[starts + 10] != _SPACE)
        odd |= (text[stops - 3] != _PLUS) | (text[stops - 2] != _ZERO) | (text[stops - 1] != _ZERO)
        if odd.any():
            fine = np.flatnonzero(~odd)
            text[starts[fine] + 10] = _T
            stops[fine] -= 3
        else:
            text[starts + 10] = _T
            stops -= 3
        return Emitted((self._begin, texts.pieces, ends), odd)


@dataclass(frozen=True, slots=True)
class _Each:
    write: Write

    def __call__(self, texts: Texts, page: Page) -> Emitted:
        written, odd = [], np.zeros(len(texts), np.bool_)
        for row, text in enumerate(texts.values(page)):
            try:
                written.append(b"" if text is None else self.write(text))
            except UNSURE:
                written.append(b"")
                odd[row] = True
        return Emitted((page.values(written),), odd)
