"""The loop from the change log into the warehouse."""

from stenograph.sink.evolution import evolved
from stenograph.sink.flush import Flush
from stenograph.sink.loop import Sink
from stenograph.sink.readers import Readers

__all__ = ["Flush", "Readers", "Sink", "evolved"]
