"""The proof that history is what the log says, and that the log is what the source has."""

from stenograph.verify.proof import Proof, Sources, prove
from stenograph.verify.report import Finding, Report, Verdict

__all__ = ["Finding", "Proof", "Report", "Sources", "Verdict", "prove"]
