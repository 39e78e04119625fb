from ._derived import DerivedAudio as DerivedAudio
from ._loading import open_audio as open_audio
from ._loading import read_audio as read_audio
