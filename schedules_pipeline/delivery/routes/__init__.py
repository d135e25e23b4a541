"""What can be asked over HTTP, a module for each subject: parameters in, an answer of the room above out."""
