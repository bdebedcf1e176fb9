"""Small tensors on few cores: more than one thread per process only makes the suite slower."""

import os

import torch

torch.set_num_threads(1)
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # read when triton is imported, by whichever test comes first
