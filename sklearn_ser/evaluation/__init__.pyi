from ._final_model import fit_model as fit_model
from ._final_model import predict_table as predict_table
from ._protocols import PROTOCOLS as PROTOCOLS
from ._result import EvaluationResult as EvaluationResult
from ._timeline import predict_timeline as predict_timeline
from ._validate import cross_corpus_validate as cross_corpus_validate
