"""Where the four files of MNIST come from: what they are, and a module for each kind of source."""
