"""A record's life as history tells it."""

from stenograph.timeline.life import Change, Entry, Timeline, timeline
from stenograph.timeline.render import render

__all__ = ["Change", "Entry", "Timeline", "render", "timeline"]
