"""Keeps partners' programme schedules up to date by rebuilding only what a change touches."""
