"""Choice: from log-probabilities to tokens. Arithmetic only: knows neither the model nor the cache."""
