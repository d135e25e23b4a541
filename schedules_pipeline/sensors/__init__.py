"""The sensors: one a queue. Each receives for as long as a tick lasts, and asks for a publisher where there is none."""
