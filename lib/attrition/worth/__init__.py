"""What it is worth to know early who will leave: contacts, completers gained, power, money, and what to learn first."""
