"""Label budgets: a curve a method of mAP against annotation time, the Pareto front, the best method for a time."""
