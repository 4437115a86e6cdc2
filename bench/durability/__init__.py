"""What durability costs: on the spoken path nothing; beside it, signals, history and CPU."""
