"""Order, cache, execute, render: what ``./run_all.sh`` hands over to."""
