"""HAPT (= SBHAR), UCI data set 341: from the release's text files to features and a ground truth."""
