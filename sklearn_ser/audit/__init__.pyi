from ._corpus import audit_corpus as audit_corpus
from ._report import AuditReport as AuditReport
from ._split import audit_split as audit_split
