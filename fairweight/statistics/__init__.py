"""Arrays in, numbers out: intervals, tests, comparisons over seeds, power, slices."""
