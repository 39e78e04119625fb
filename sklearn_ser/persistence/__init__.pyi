from ._model_file import load_model as load_model
from ._model_file import load_model_info as load_model_info
from ._model_file import save_model as save_model
from ._model_file import supported_types as supported_types
from ._onnx import export_onnx as export_onnx
