"""What partners ask besides schedules: what is on, where something is shown, what is new, what is available."""
