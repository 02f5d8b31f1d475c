"""From trained runs to measurements: what was selected, and whether it is what should have been."""
