"""What lies inside: the records of the change log, and the versions of the models."""

from stenograph.inspection.models import ModelVersion, SubjectView, check_models, listed_models, subjects
from stenograph.inspection.records import RecordView, Values, records
from stenograph.inspection.topics import PartitionView, TopicView, topics

__all__ = [
    "ModelVersion",
    "PartitionView",
    "RecordView",
    "SubjectView",
    "TopicView",
    "Values",
    "check_models",
    "listed_models",
    "records",
    "subjects",
    "topics",
]
