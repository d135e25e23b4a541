"""The assets: what there is upstream, our copies of it, and the schedules. Bodies call workflows, no more."""
