"""One way of going wrong each."""
