from ._store import FeatureStore as FeatureStore
