"""Whether the live systems behind a pipeline let it work, and what to mend first where they do not."""

from stenograph.doctor.examination import Examination, Finding, examine
from stenograph.doctor.render import render

__all__ = ["Examination", "Finding", "examine", "render"]
