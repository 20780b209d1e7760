"""Dashboards: what a study found, live in a browser (`tal-search dashboard`) and as files (`tal-search export`)."""
