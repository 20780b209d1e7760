"""One file a view: pure tables of numbers, pure figures of them, and the page that shows both."""
