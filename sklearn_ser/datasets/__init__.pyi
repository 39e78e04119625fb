from ._concat import concat_corpora as concat_corpora
from ._corpus import Corpus as Corpus
from ._known_corpora import detect_corpus as detect_corpus
from ._known_corpora import list_corpora as list_corpora
from ._label_maps import list_label_maps as list_label_maps
from ._load import load_corpus as load_corpus
from ._packaged_features import load_features as load_features
from ._synthetic import make_speech_corpus as make_speech_corpus
