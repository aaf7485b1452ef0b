"""Export: the only place where training and service meet. A PyTorch checkpoint in, a verified bundle out."""
