"""The demonstration: the whole pipeline on one machine, with real servers and an invented broadcaster.

Belongs here: local servers, sample data, traffic, the old system, and a partner that reads and is called.
Does not belong here: anything that the pipeline needs in production. The package never imports this room, and the
wheel and the image are built without it; tests and benchmarks use its servers and its sample.
"""
