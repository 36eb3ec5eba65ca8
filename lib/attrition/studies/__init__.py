"""Studies, one module each, too heavy for a notebook; that of intervals has a command and committed results."""
