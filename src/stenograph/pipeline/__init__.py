"""The pipeline model: what a data engineer writes, read once and refused whole."""

from stenograph.pipeline.discovery import all_pipelines, find
from stenograph.pipeline.faults import ConfigurationFaults, Fault
from stenograph.pipeline.model import DEFAULT_LOG, DEFAULT_WAREHOUSE, Kinds, Pipeline, describe, load
from stenograph.pipeline.models import all_models, load_model
from stenograph.pipeline.plan import plans
from stenograph.pipeline.secret import Secret, SecretOrPlain
from stenograph.pipeline.settings import Section, TableSettings

__all__ = [
    "ConfigurationFaults",
    "DEFAULT_LOG",
    "DEFAULT_WAREHOUSE",
    "Fault",
    "Kinds",
    "Pipeline",
    "Secret",
    "SecretOrPlain",
    "Section",
    "TableSettings",
    "all_models",
    "all_pipelines",
    "describe",
    "find",
    "load",
    "load_model",
    "plans",
]
