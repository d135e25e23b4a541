"""Partners, their keys, the services that they may see, and their limits.

Does not belong here: applying the limits to requests (``delivery``), and subscriptions (``push``).
"""
