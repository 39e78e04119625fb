from ._base import AudioExtractor as AudioExtractor
from ._opensmile import OpenSmileExtractor as OpenSmileExtractor
from ._pretrained import PretrainedEmbedding as PretrainedEmbedding
from ._prosody import Prosody as Prosody
from ._speaker_embedding import SpeakerEmbedding as SpeakerEmbedding
from ._spectral import MFCC as MFCC
from ._spectral import LogMelSpectrogram as LogMelSpectrogram
from ._windows import SlidingWindows as SlidingWindows
