"""What an exported model directory contains, and reading it: the definition that export and service share."""
