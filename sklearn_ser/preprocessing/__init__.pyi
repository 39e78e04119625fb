from ._frame_scaler import FrameScaler as FrameScaler
from ._functionals_pooling import FunctionalsPooling as FunctionalsPooling
from ._group_scaler import GroupScaler as GroupScaler
from ._segments import window_table as window_table
from ._skip_failed_rows import SkipFailedRows as SkipFailedRows
