from ._adversarial import adversarial_robustness as adversarial_robustness
from ._noise import noise_robustness as noise_robustness
