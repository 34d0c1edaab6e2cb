"""A YAML file as plain data that remembers the line of every key.

Knows no setting's name or meaning. Aliases are refused: they hide where a value comes from, and a few lines of
them can stand for more data than memory holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import yaml

from stenograph.pipeline.faults import ConfigurationFaults, Fault, shown

Place = tuple[str | int, ...]
"""Where a value stands: keys and list indexes from the root on."""

_DEEPEST = 16
_LARGEST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Document:
    """A file's data and the line of each place in it, with the faults that did not keep it from being read.

    Keys are always text, as written: `no:` is the key "no".
    """

    file: Path
    data: Mapping[str, object]
    lines: Mapping[Place, int]
    faults: tuple[Fault, ...] = ()

    def line(self, place: Place) -> int:
        """The line of that key or list item, or of the nearest one around it."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def fault(self, place: Place, message: str) -> Fault:
        """A fault at that place."""
        return Fault(self.file, self.line(place), dotted(place), message)


def dotted(place: Place) -> str:
    """A place as people write it: `tables.public.lead.track[0]`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{shown(part)}"
    return text.removeprefix(".")


def read(file: Path) -> Document:
    """Read one YAML file whose top is a mapping.

    Raise ConfigurationFaults if it cannot be read, is not YAML, is empty or is not a mapping; faults that leave
    the rest readable (a key written twice, a value of an unknown tag) are in the document.
    """
    text = _text(file)
    try:
        loader = _Loader(text)
        reading = _Reading(file, loader)
        root = loader.get_single_node()
        data = None if root is None else reading.value(root, ())
    except yaml.MarkedYAMLError as refusal:
        mark = refusal.problem_mark or refusal.context_mark
        fault = Fault(file, mark.line + 1 if mark else None, "", _words(refusal.problem or "unreadable"))
    except yaml.reader.ReaderError as refusal:
        line = text.count("\n", 0, refusal.position) + 1
        fault = Fault(file, line, "", "not YAML: a character that no text file holds")
    except (RecursionError, ValueError, OverflowError, LookupError):
        # PyYAML lets these through for absurd nesting, escapes and directives.
        fault = Fault(file, None, "", "not YAML that can be read: nested too deeply, or an impossible escape")
    else:
        if isinstance(data, dict):
            return Document(file, data, reading.lines, tuple(reading.faults))
        if root is None or (data is None and not reading.faults):
            fault = Fault(file, None, "", "the file is empty; it needs `source:` and `tables:`")
        else:
            fault = Fault(
                file, root.start_mark.line + 1, "", "must be a mapping: `source:`, `tables:` and so on"
            )
        raise ConfigurationFaults((*reading.faults, fault))
    # Raised outside the handlers: the YAML error would show the file's lines, and secrets with them.
    raise ConfigurationFaults((fault,))


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            raw = stream.read(_LARGEST_BYTES + 1)
    except OSError as failure:
        raise ConfigurationFaults(
            (Fault(file, None, "", f"cannot be read: {failure.strerror}"),)
        ) from failure
    if len(raw) > _LARGEST_BYTES:
        raise ConfigurationFaults((Fault(file, None, "", "larger than 1 MiB; this is no pipeline file"),))
    text = raw.decode("utf-8", errors="replace")
    if "\ufffd" in text:
        line = text.count("\n", 0, text.index("\ufffd")) + 1
        raise ConfigurationFaults((Fault(file, line, "", "not UTF-8 text"),))
    return text


def _words(problem: str) -> str:
    if "'\\t'" in problem:
        return "not YAML: a tab; indent with spaces"
    if "another document" in problem:
        return "must be one YAML document; remove this `---`"
    return f"not YAML: {shown(problem)}"


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader without aliases."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(
                None, None, "an alias (*name); write the value out", self.current_event.start_mark
            )
        return super().compose_node(parent, index)


@dataclass(slots=True)
class _Reading:
    """One walk over a file's nodes."""

    file: Path
    loader: _Loader
    lines: dict[Place, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def value(self, node: yaml.Node, place: Place) -> object:
        line = self.lines.setdefault(place, node.start_mark.line + 1)
        if len(place) > _DEEPEST:
            return self._refused(line, place, "nested too deeply")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, place, line)
        if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            return [self.value(item, (*place, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
            return self._mapping(node, place)
        return self._refused(line, place, f"a value with the tag {shown(str(node.tag))} is not understood")

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, object]:
        found: dict[str, object] = {}
        for key, item in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self._refused(line, place, "a key must be a word, not a list or a mapping")
                continue
            name = str(key.value)
            if name in found:
                first = self.lines[(*place, name)]
                self._refused(line, (*place, name), f"written twice; the first is on line {first}")
                continue
            self.lines[(*place, name)] = line
            found[name] = self.value(item, (*place, name))
        return found

    def _scalar(self, node: yaml.ScalarNode, place: Place, line: int) -> object:
        try:
            scalar: object = self.loader.construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError):
            scalar = NotImplemented
        if scalar is None or isinstance(scalar, str | int | float | date | bytes):
            return scalar
        return self._refused(line, place, "not a value that is understood; put it in quotes if it is text")

    def _refused(self, line: int, place: Place, message: str) -> object:
        self.faults.append(Fault(self.file, line, dotted(place), message))
        return None
