"""The sensors. Two receive from the queues, one starts coldstarts, one watches for alarms.

Belongs here: ticks, their budget of time and their reports. Does not belong here: handling a message (``publishing``)
and finding conditions (``health``).
"""
