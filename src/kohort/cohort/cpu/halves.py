"""Numbers of 16 bits, which XLA:CPU computes as float32 and rounds at the end."""

import jax.numpy as jnp
import numpy as np

HALVES = (jnp.bfloat16, np.float16)
