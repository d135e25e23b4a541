"""The jobs, and the timers that start some of them. The passes that they run belong to ``maintenance`` and the other
rooms of workflows.
"""
