"""How long the stages take, and what that depends on: `python -m semcorr_ros bench`."""
