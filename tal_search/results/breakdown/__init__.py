"""Results broken down: main effects and interactions of a grid, differences by class and by length of instance."""
