"""The HTTP interface, a module for each subject: reads parameters, calls the room above, and answers."""
