"""Pictures of results: pure functions from image tensors and artifacts to image tensors."""
