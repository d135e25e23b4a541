"""Questions besides schedules: now and next, broadcasts of a programme, latest episodes, catalogue feeds."""
