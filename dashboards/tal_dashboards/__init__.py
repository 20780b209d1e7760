"""Dashboards of a study's results, live in a browser (`tal-search dashboard`) and as files (`tal-search export`)."""
