"""Captions for pictures: "Show, Attend and Tell" (Xu et al. 2015), its data, training and evaluation."""
