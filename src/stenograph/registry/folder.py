"""A schema registry in a folder: the same answers as a registry over HTTP, for a pipeline on one machine.

Edits and removes nothing: an id keeps its schema for ever.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from urllib.parse import quote

from fastavro.schema import SchemaParseException, UnknownType, parse_schema

from stenograph.errors import ConfigurationError, SchemaIncompatible
from stenograph.registry.compatibility import Compatibility, obstacles
from stenograph.registry.shelf import Shelf
from stenograph.schemas import SchemaId

_HIGHEST_ID = 2**31 - 1


class FolderRegistry:
    """A `SchemaRegistry` on files: `ids/<id>.avsc` and `subjects/<subject>/v<version>`, which holds an id.

    Two schemas are the same if their JSON is, key order included and white space aside: annotations and defaults
    matter. A subject that `compatibility` does not name takes any schema. Several processes may share the folder.
    Raise ConfigurationError for a damaged file and for a folder that cannot be used.
    """

    def __init__(self, folder: Path, compatibility: Mapping[str, Compatibility] | None = None) -> None:
        self._shelf = Shelf(folder)
        self._compatibility = dict(compatibility or {})
        self._known: dict[tuple[str, str], SchemaId] = {}
        self._texts: dict[SchemaId, str] = {}
        self._ids: dict[str, SchemaId] = {}

    def register(self, subject: str, schema: str) -> SchemaId:
        """See `SchemaRegistry.register`. Raise ConfigurationError for text that is no Avro schema."""
        text = _normalised(schema, subject)
        known = self._known.get((subject, text))
        if known is not None:
            return known
        shelf_name = _shelf_name(subject)
        with self._shelf.locked():
            versions = self._versions(shelf_name)
            schema_id = self._id_of(text)
            if schema_id is None or schema_id not in versions.values():
                if versions:
                    self._refuse_incompatible(subject, text, self._text(versions[max(versions)]))
                if schema_id is None:
                    schema_id = self._add(text)
                version = max(versions, default=0) + 1
                self._shelf.write(f"subjects/{shelf_name}/v{version}", f"{schema_id}\n")
        self._known[subject, text] = schema_id
        return schema_id

    def fetch(self, schema_id: SchemaId) -> str | None:
        """See `SchemaRegistry.fetch`."""
        if not 0 < schema_id <= _HIGHEST_ID:
            return None
        if schema_id not in self._texts:
            text = self._shelf.read(f"ids/{schema_id}.avsc")
            if text is None:
                return None
            self._remember(schema_id, self._checked(schema_id, text))
        return self._texts[schema_id]

    def latest(self, subject: str) -> tuple[SchemaId, str] | None:
        """See `SchemaRegistry.latest`."""
        versions = self._versions(_shelf_name(subject))
        if not versions:
            return None
        schema_id = versions[max(versions)]
        return schema_id, self._text(schema_id)

    def _versions(self, shelf_name: str) -> dict[int, SchemaId]:
        versions: dict[int, SchemaId] = {}
        for name in self._shelf.names(f"subjects/{shelf_name}"):
            number = name.removeprefix("v")
            if not number.isdecimal():
                continue
            place = f"subjects/{shelf_name}/{name}"
            content = (self._shelf.read(place) or "").strip()
            if not content.isdecimal():
                raise self._damaged(place, "it does not hold a schema id")
            versions[int(number)] = int(content)
        return versions

    def _text(self, schema_id: SchemaId) -> str:
        text = self.fetch(schema_id)
        if text is None:
            raise self._damaged(f"ids/{schema_id}.avsc", "a subject names this id and there is no such file")
        return text

    def _id_of(self, text: str) -> SchemaId | None:
        """The id of a schema; called under the lock, reads only the ids that are new since."""
        for schema_id in self._shelved() - self._texts.keys():
            self._text(schema_id)
        return self._ids.get(text)

    def _add(self, text: str) -> SchemaId:
        shelved = self._shelved()
        lost = self._texts.keys() - shelved
        if lost:
            # Their numbers would be given out again, and old records be read with schemas that are not theirs.
            raise self._damaged(f"ids/{min(lost)}.avsc", "it was there and is gone")
        schema_id = max(shelved, default=0) + 1
        self._shelf.write(f"ids/{schema_id}.avsc", text + "\n")
        self._remember(schema_id, text)
        return schema_id

    def _shelved(self) -> set[SchemaId]:
        names = (name.removesuffix(".avsc") for name in self._shelf.names("ids"))
        return {int(name) for name in names if name.isdecimal()}

    def _remember(self, schema_id: SchemaId, text: str) -> None:
        self._texts[schema_id] = text
        self._ids.setdefault(text, schema_id)

    def _checked(self, schema_id: SchemaId, text: str) -> str:
        try:
            return _normalised(text, f"id {schema_id}")
        except ConfigurationError as fault:
            raise self._damaged(f"ids/{schema_id}.avsc", "it is not an Avro schema") from fault

    def _refuse_incompatible(self, subject: str, text: str, newest: str) -> None:
        match self._compatibility.get(subject, Compatibility.NONE):
            case Compatibility.NONE:
                return
            case Compatibility.BACKWARD:
                found = obstacles(json.loads(text), json.loads(newest))
        if found:
            raise SchemaIncompatible(
                "The schema cannot read what the subject's newest version wrote.",
                hint="Give every new field a default and change types only as Avro promotes them: "
                + " ".join(found),
                subject=subject,
                compatibility="BACKWARD",
            )

    def _damaged(self, place: str, reason: str) -> ConfigurationError:
        return ConfigurationError(
            f"A file of the schema registry is damaged: {reason}.",
            hint="Restore the file from a backup: records written with this schema need it for ever.",
            path=self._shelf.folder / place,
        )


def _shelf_name(subject: str) -> str:
    name = quote(subject, safe="")
    if name in {"", ".", ".."}:
        raise ConfigurationError(
            "The name cannot be a subject.", hint="Use a topic's name with -key or -value.", subject=subject
        )
    return name


def _normalised(schema: str, subject: str) -> str:
    try:
        parsed = json.loads(schema)
        parse_schema(deepcopy(parsed), named_schemas={})
    except (ValueError, TypeError, KeyError, AttributeError, SchemaParseException, UnknownType) as fault:
        raise ConfigurationError(
            "The text is not an Avro schema.", hint="Check its JSON and its type names.", subject=subject
        ) from fault
    return json.dumps(parsed, separators=(",", ":"), ensure_ascii=False)
