"""The assets: the upstream sources, the pipeline's catalogue copies, and the schedules. Their bodies call workflows."""
