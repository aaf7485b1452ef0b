"""How many replicas a load needs: one replica is measured, the rest is arithmetic. See docs/deploy/capacity.md."""
