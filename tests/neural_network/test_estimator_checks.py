"""scikit-learn's own checks, all of them."""

from sklearn.utils.estimator_checks import (
    check_sample_weight_equivalence_on_dense_data,
    parametrize_with_checks,
)

from sklearn_ser.neural_network import MTLNeuralClassifier

EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": (
        "A weight of k equals k copies of the row only where both fits see the same batches, "
        "dropout and validation rows; with them off it does (the test below)."
    ),
}


@parametrize_with_checks(
    [MTLNeuralClassifier()],
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES,
    xfail_strict=True,
)
def test_estimator_check(estimator, check):
    check(estimator)


def test_weights_equal_copies_without_chance():
    exact = MTLNeuralClassifier().set_params(
        compute__dtype="float64",
        batch_size=None,
        dropout=0.0,
        perturbation__noise=0.0,
        early_stopping=False,
        y_task__class_weight="balanced",
    )
    check_sample_weight_equivalence_on_dense_data("MTLNeuralClassifier", exact)
