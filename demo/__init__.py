"""What the demonstration and the tests need on one machine: real servers, their content, the old system."""
