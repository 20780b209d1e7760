"""Label budgets of a study: their settings and rules."""
