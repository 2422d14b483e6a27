"""What the chapter speaks of and Keras lacks, as ordinary Keras objects: they serialise, and work without Kohort."""

from kohort.parts.averaging import Averaged as Averaged
from kohort.parts.balanced_accuracy import BalancedAccuracy as BalancedAccuracy
from kohort.parts.gradient_noise import GradientNoise as GradientNoise
from kohort.parts.mixing import CutMix as CutMix
from kohort.parts.mixing import MixUp as MixUp
from kohort.parts.monte_carlo import MeanOfPasses as MeanOfPasses
from kohort.parts.monte_carlo import MonteCarloDropout as MonteCarloDropout
from kohort.parts.monte_carlo import Passes as Passes
from kohort.parts.precise_normalisation import PreciseBatchNormalization as PreciseBatchNormalization
from kohort.parts.proximal import Proximal as Proximal
from kohort.parts.resting import Resting as Resting
from kohort.parts.schedules import InverseSquareRoot as InverseSquareRoot
from kohort.parts.schedules import LinearDecay as LinearDecay
from kohort.parts.schedules import OneCycle as OneCycle
from kohort.parts.sharpness import SharpnessAware as SharpnessAware
