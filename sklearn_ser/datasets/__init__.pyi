from ._concat import concat_corpora as concat_corpora
from ._corpus import Corpus as Corpus
from ._functionals import load_features as load_features
from ._load import load_corpus as load_corpus
from ._synthetic import make_speech_corpus as make_speech_corpus
