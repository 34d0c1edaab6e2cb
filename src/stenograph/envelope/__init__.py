"""The wire: Avro schemas of change events, their framing, and the reference codec.

Knows no source's own types and no warehouse: a source brings Avro types and wire values, the sink takes columns.
"""
