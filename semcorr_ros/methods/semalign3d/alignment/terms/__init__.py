"""Energy terms, one per file, found by name.

A term defines `energy(state, seen, model) -> Float[Tensor, "hypothesis"]`: unweighted, lower is
better, no reduction over hypotheses. The objective owns weights and schedules.
"""
