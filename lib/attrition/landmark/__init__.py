"""Who is at risk at a landmark, what was known about them by then, and how well it predicts what happens to them."""
