"""What goes wrong in service, made to go wrong: every answer is compared with the one computed alone."""
