"""The jobs, and the timers that start some of them."""
