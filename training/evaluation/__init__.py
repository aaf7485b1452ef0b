"""How good translations are: scores with their uncertainty, test sets for what scores do not show, baselines."""
