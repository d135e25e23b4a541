"""The sensors. Two receive from the queues, one starts coldstarts, one watches for alarms."""
