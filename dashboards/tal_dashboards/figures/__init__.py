"""Pure figures of the views, and the tables that they draw."""
