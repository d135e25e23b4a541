"""The rules of broadcast schedules, as pure values and functions: no bytes, no clock, no I/O."""
