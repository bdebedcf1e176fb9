"""Small tensors on few cores: more than one thread per process only makes the suite slower."""

import torch

torch.set_num_threads(1)
