"""Which of a model's attention tells best what a target token comes from: measured without annotators."""
