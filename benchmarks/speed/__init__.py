"""Kohort beside what its users would run instead: the same networks, on the same data, each peer at its best setting.

python -m benchmarks.speed [TASK …] --data FOLDER [--peers a,c,…] [--rounds 3] [--torch PYTHON] [--tensorflow PYTHON]

`tasks.py` says what is trained, `networks.py` and `torch_peers.py` write the same networks for Keras and for PyTorch,
`peers.py` says who does it and how it is timed, `table.py` writes README's table from `benchmarks/results/speed/`.
FOLDER holds adult.npz and mnist.npz, which are not part of Kohort. Interpreters with PyTorch and TensorFlow live in
environments of their own, since neither is a dependency; peers without one are left out, and results say so.
"""
